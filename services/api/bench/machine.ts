import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { arch, cpus, platform, totalmem } from 'node:os'
import type { World } from './world.ts'

/** Where and with what a run was made. */
export interface Machine {
  cpu: string
  cores: number
  memoryGb: number
  system: string
  node: string
  postgres: string
  versions: Record<string, string>
  commit: string
}

const PACKAGES = ['fastify', 'pg', 'fast-jwt', 'pino', 'ioredis']

export async function describeMachine({ pool }: Pick<World, 'pool'>): Promise<Machine> {
  const { rows } = await pool.query<{ server_version: string }>('SHOW server_version')
  const [cpu] = cpus()
  return {
    cpu: cpu?.model ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 1e9),
    system: `${platform()} ${arch()}`,
    node: process.version,
    postgres: rows[0]?.server_version ?? 'unknown',
    versions: Object.fromEntries(PACKAGES.map(name => [name, versionOf(name)])),
    commit: commitOf(),
  }
}

function versionOf(name: string): string {
  const path = new URL(`../../../node_modules/${name}/package.json`, import.meta.url)
  return JSON.parse(readFileSync(path, 'utf8')).version
}

function commitOf(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  } catch {
    return 'unknown'
  }
}
