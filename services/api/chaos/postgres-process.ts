import { execFileSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '@sesame/db'
import pg from 'pg'
import { guard } from './guarded-process.ts'

export interface PostgresProcess {
  url: string
  query<Row extends pg.QueryResultRow>(text: string): Promise<Row[]>
  /**
   * Takes a lock by this statement, and gives it back when the work is over, well or not. Where the
   * lock cannot be had for a while, nothing is done.
   */
  whileHolding(lock: string, work: () => Promise<void>): Promise<void>
  /** Stops the server and every process of it. */
  pause(): void
  resume(): void
  /** kill -9; resolves when it is there again. */
  killAndWait(): Promise<void>
  stop(): Promise<void>
}

const RESTART_LIMIT_MS = 60_000
const LOCK_TIMEOUT_MS = 2_000

export async function startPostgres(dataDir: string): Promise<PostgresProcess> {
  const postgres = await startEmbeddedPostgres({ dataDir })
  let paused: readonly number[] = []
  let release = () => {}
  const withClient = async <T>(work: (client: pg.Client) => Promise<T>): Promise<T> => {
    const client = new pg.Client({
      connectionString: postgres.url,
      connectionTimeoutMillis: 5_000,
      query_timeout: 30_000,
    })
    client.on('error', () => {})
    await client.connect()
    try {
      return await work(client)
    } finally {
      await client.end().catch(() => {})
    }
  }
  const query = <Row extends pg.QueryResultRow>(text: string): Promise<Row[]> =>
    withClient(async client => (await client.query<Row>(text)).rows)
  const resume = () => {
    for (const pid of paused) signal(pid, 'SIGCONT')
    paused = []
    release()
  }
  return {
    url: postgres.url,
    query,
    whileHolding: (lock, work) =>
      withClient(async client => {
        await client.query(`BEGIN; SET LOCAL lock_timeout = '${LOCK_TIMEOUT_MS}ms'`)
        const isHeld = await client.query(lock).then(
          () => true,
          () => false,
        )
        if (isHeld) await work()
      }),
    pause() {
      const { pid } = postgres
      // The parent first: stopped, it starts no more children.
      signal(pid, 'SIGSTOP')
      paused = [pid, ...childrenOf(pid)]
      release = guard(paused, 'CONT')
      for (const child of paused) signal(child, 'SIGSTOP')
    },
    resume,
    killAndWait: () => killAndWait(postgres, () => query('SELECT 1')),
    async stop() {
      resume()
      await postgres.stop()
    },
  }
}

async function killAndWait(
  postgres: EmbeddedPostgres,
  ping: () => Promise<unknown>,
): Promise<void> {
  const killed = postgres.pid
  signal(killed, 'SIGKILL')
  const deadlineMs = performance.now() + RESTART_LIMIT_MS
  while (performance.now() < deadlineMs) {
    await sleep(50)
    if (postgres.pid === killed) continue
    const isThere = await ping().then(
      () => true,
      () => false,
    )
    if (isThere) return
  }
  throw new Error('Postgres did not come back')
}

function childrenOf(parent: number): number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).split('\n')
  return lines
    .map(line => line.trim().split(/\s+/).map(Number))
    .flatMap(([pid, ppid]) => (pid !== undefined && ppid === parent ? [pid] : []))
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended by itself.
  }
}
