import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate, startEmbeddedPostgres } from '@sesame/db'
import pg from 'pg'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    /** A server with a migrated database `sesame_template`, to make a database for each file from. */
    postgresUrl: string
    /** Where every log line of the run is collected. */
    logFile: string
  }
}

export const TEMPLATE_DATABASE = 'sesame_template'

/** One real Postgres for the whole run. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = mkdtempSync(join(tmpdir(), 'sesame-test-'))
  const postgres = await startEmbeddedPostgres({ dataDir, settings: { max_connections: '300' } })
  const admin = new pg.Client({ connectionString: postgres.url })
  await admin.connect()
  await admin.query(`CREATE DATABASE ${TEMPLATE_DATABASE}`)
  await admin.end()
  await migrate({ databaseUrl: databaseUrl(postgres.url, TEMPLATE_DATABASE) })
  const logFile = join(dataDir, 'run.log')
  writeFileSync(logFile, '')
  project.provide('postgresUrl', postgres.url)
  project.provide('logFile', logFile)
  return async () => {
    const log = readFileSync(logFile, 'utf8')
    await postgres.stop()
    rmSync(dataDir, { recursive: true, force: true })
    refuseSecrets(log)
  }
}

const SECRET = /(?:sk_(?:live|test)|ok|rt)_[\w.-]{20,}|eyJ[\w-]{8,}\.[\w-]+/

/** No secret, token or part of one reaches a log, whatever the suite did. */
function refuseSecrets(log: string): void {
  const line = log.split('\n').find(text => SECRET.test(text))
  if (line === undefined) return
  throw new Error(`a secret was logged: ${line.replaceAll(new RegExp(SECRET, 'g'), '[secret]')}`)
}

export function databaseUrl(serverUrl: string, database: string): string {
  const url = new URL(serverUrl)
  url.pathname = `/${database}`
  return url.href
}
