import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

vi.setConfig({ testTimeout: 30_000 })

const LAUNCH_DIR = join(import.meta.dirname, '../../../infra/launch')

// Stands in for npm: takes its time, does what npm ci does, and counts.
const NPM = `
import { appendFileSync, cpSync, rmSync } from 'node:fs'
appendFileSync('npm-calls', process.argv[2] + '\\n')
await new Promise(resolve => setTimeout(resolve, 700))
if (process.env.TEST_NPM_FAILS) process.exit(7)
rmSync('node_modules', { recursive: true, force: true })
cpSync('complete', 'node_modules', { recursive: true, verbatimSymlinks: true })
`

const LOCK = {
  packages: {
    '': { name: 'clone' },
    'node_modules/left': { version: '1.0.0', integrity: 'sha512-left' },
    'node_modules/only-on-mars': { version: '1.0.0', integrity: 'sha512-mars', optional: true },
  },
}

let root = ''

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sesame-clone-'))
  cpSync(LAUNCH_DIR, join(root, 'infra', 'launch'), { recursive: true })
  writeFileSync(join(root, 'package.json'), '{"type":"module"}')
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify(LOCK))
  writeFileSync(join(root, 'npm.mjs'), NPM)
  const { '': _, 'node_modules/only-on-mars': __, ...installed } = LOCK.packages
  mkdirSync(join(root, 'complete', '.bin'), { recursive: true })
  mkdirSync(join(root, 'complete', 'left'))
  symlinkSync(process.execPath, join(root, 'complete', '.bin', 'node'))
  writeFileSync(join(root, 'complete', 'left', 'package.json'), '{}')
  writeFileSync(
    join(root, 'complete', '.package-lock.json'),
    JSON.stringify({ packages: installed }),
  )
})

afterEach(() => {
  rmSync(root, { recursive: true, force: true })
})

describe('the launcher', () => {
  test('installs what is missing, says so in one line, and runs the command', async () => {
    const { stdout, stderr, code } = await launch('node', '-p', '6 * 7')
    expect([stdout, code]).toEqual(['42\n', 0])
    expect(stderr).toMatch(/^Installing what is missing[^\n]*\n$/)
    expect(npmCalls()).toEqual(['ci'])
  })

  test('installs nothing when everything is there', async () => {
    complete()
    const { stderr, code } = await launch('node', '-p', '1')
    expect([stderr, code, npmCalls()]).toEqual(['', 0, []])
  })

  test.each([
    ['a package is gone', () => rmSync(join(root, 'node_modules', 'left'), { recursive: true })],
    ['an install was cut off', () => rmSync(join(root, 'node_modules', '.package-lock.json'))],
    ['Node is gone', () => rmSync(join(root, 'node_modules', '.bin', 'node'))],
    ['the lock file asks for another version', changeLockFile],
  ])('installs again when %s', async (_, damage) => {
    complete()
    damage()
    await launch('node', '-p', '1')
    expect(npmCalls()).toEqual(['ci'])
  })

  test('lets one of several installs, and the others wait for it', async () => {
    const results = await Promise.all([1, 2, 3].map(n => launch('node', '-p', String(n))))
    expect(results.map(result => result.stdout)).toEqual(['1\n', '2\n', '3\n'])
    expect(npmCalls()).toEqual(['ci'])
  })

  test('goes on after an installer that was killed', async () => {
    const killed = start('node', '-p', '1')
    while (npmCalls().length === 0) await new Promise(resolve => setTimeout(resolve, 20))
    killed.kill('SIGKILL')
    await once(killed, 'exit')
    expect((await launch('node', '-p', '2')).stdout).toBe('2\n')
  })

  test('says in one line that npm failed', async () => {
    const { stderr, code } = await launch('node', '-p', '1', { TEST_NPM_FAILS: 'yes' })
    expect(code).toBe(1)
    expect(stderr.split('\n').slice(1)).toEqual(['npm ci failed (exit code 7); see above', ''])
  })

  test('runs with the Node of the machine when ours did not come along and that is new enough', async () => {
    complete()
    rmSync(join(root, 'node_modules', '.bin', 'node'))
    const old = join(root, 'node_modules', '.bin', 'node')
    writeFileSync(old, '#!/bin/sh\necho v20.1.0\n', { mode: 0o755 })
    expect((await launch('node', '-p', '1')).stdout).toBe('1\n')
  })

  test('answers with the exit code of the command', async () => {
    complete()
    expect((await launch('node', '-e', 'process.exit(3)')).code).toBe(3)
    expect((await launch('node', '-e', 'process.kill(process.pid, "SIGKILL")')).code).toBe(137)
    expect((await launch('no-such-command')).stderr).toMatch(
      /^no-such-command cannot be run: .*\n$/,
    )
  })

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('hands on %s', async signal => {
    complete()
    const child = start(
      'node',
      '-e',
      `process.on('${signal}', () => process.exit(5)); setInterval(() => {}, 1000); console.log('up')`,
    )
    if (child.stdout !== null) await once(child.stdout, 'data')
    child.kill(signal)
    expect(await once(child, 'exit')).toEqual([5, null])
  })

  test('stops the command when npm is killed', async () => {
    complete()
    const script = `process.on('SIGTERM', () => { require('fs').writeFileSync('stopped', ''); process.exit() })
      console.log('up'); setInterval(() => {}, 1000)`
    writeFileSync(join(root, 'command.cjs'), script)
    const args = ['infra/launch/launch.js', 'node', 'command.cjs']
    const npm = spawn('/bin/sh', ['-c', `"${process.execPath}" ${args.join(' ')}; true`], {
      cwd: root,
      env: environment({ npm_lifecycle_event: 'start' }),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(npm.stdout, 'data')
    npm.kill('SIGKILL')
    await vi.waitUntil(() => existsSync(join(root, 'stopped')), { timeout: 20_000 })
  })
})

function complete(): void {
  const to = join(root, 'node_modules')
  cpSync(join(root, 'complete'), to, { recursive: true, verbatimSymlinks: true })
}

function changeLockFile(): void {
  const path = join(root, 'package-lock.json')
  const next = readFileSync(path, 'utf8').replace('sha512-left', 'sha512-right')
  writeFileSync(path, next)
  const list = join(root, 'complete', '.package-lock.json')
  writeFileSync(list, readFileSync(list, 'utf8').replace('sha512-left', 'sha512-right'))
}

function npmCalls(): string[] {
  const path = join(root, 'npm-calls')
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []
}

function environment(extra: Record<string, string>): NodeJS.ProcessEnv {
  const { npm_lifecycle_event: _, ...env } = process.env
  return {
    ...env,
    npm_execpath: join(root, 'npm.mjs'),
    npm_node_execpath: process.execPath,
    ...extra,
  }
}

function start(...args: (string | Record<string, string>)[]): ChildProcess {
  const words = args.filter(arg => typeof arg === 'string')
  const extra = args.find(arg => typeof arg === 'object') ?? {}
  return spawn(process.execPath, [join(root, 'infra', 'launch', 'launch.js'), ...words], {
    cwd: root,
    env: environment(extra),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function launch(...args: (string | Record<string, string>)[]) {
  const child = start(...args)
  if (child.stdout === null || child.stderr === null) throw new Error('no output to read')
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  return { stdout, stderr, code }
}
