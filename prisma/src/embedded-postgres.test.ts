import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.ts'
import { DataFolderInUseError, EmbeddedPostgresError } from './errors.ts'
import { isPostmasterOf, processStart, waitUntil } from './processes.ts'

const PATIENCE_MS = 30_000
vi.setConfig({ testTimeout: 2 * PATIENCE_MS, hookTimeout: 2 * PATIENCE_MS })

// Holds a database as the service does, in a process that can be killed.
const OWNER = `
const { startEmbeddedPostgres } = await import(process.argv[1])
const database = await startEmbeddedPostgres({ dataDir: process.argv[2] })
process.on('SIGINT', () => {})
console.log(database.url)
setInterval(() => {}, 1000)
`

interface Owner {
  process: ChildProcess
  pid: number
  url: string
}

let dataDir = ''
const servers: EmbeddedPostgres[] = []
const owners: ChildProcess[] = []

beforeEach(() => {
  dataDir = join(mkdtempSync(join(tmpdir(), 'sesame-db-')), 'data')
})

afterEach(async () => {
  for (const owner of owners.splice(0)) await killHard(owner)
  for (const server of servers.splice(0)) await server.stop()
  await waitUntil(() => !isServed(), PATIENCE_MS)
  rmSync(join(dataDir, '..'), { recursive: true, force: true, maxRetries: 5 })
})

describe('a first start', () => {
  test('makes a database that keeps its rows when started again', async () => {
    const first = await start()
    await query(first.url, 'CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)')
    await first.stop()
    const second = await start()
    expect(await query(second.url, 'SELECT n FROM kept')).toEqual([{ n: 7 }])
  })

  test('gives the service a role that is not a superuser, sorts by bytes, and is durable', async () => {
    const { url } = await start()
    const [row] = await query(
      url,
      `SELECT rolsuper, current_setting('fsync') AS fsync, 'B' < 'a' AS "isByteOrder",
        current_setting('synchronous_commit') AS commit, current_setting('server_encoding') AS encoding
       FROM pg_roles WHERE rolname = current_user`,
    )
    const expected = { rolsuper: false, fsync: 'on', commit: 'on', encoding: 'UTF8' }
    expect(row).toEqual({ ...expected, isByteOrder: true })
  })

  test('lets nobody in without the password', async () => {
    const { url } = await start()
    const address = new URL(url)
    address.password = 'guess'
    await expect(query(address.href, 'SELECT 1')).rejects.toThrow('password authentication failed')
    address.username = 'postgres'
    address.password = ''
    await expect(query(address.href, 'SELECT 1')).rejects.toThrow()
    expect(statSync(join(dataDir, 'postgres-password')).mode & 0o777).toBe(0o600)
  })

  test('is done again when it was killed half-way', async () => {
    for (const lifetimeMs of [120, 300, 500, 650]) {
      const child = spawnOwner()
      await sleep(lifetimeMs)
      await killHard(child)
    }
    const { url } = await start()
    expect(await query(url, 'SELECT 1 AS n')).toEqual([{ n: 1 }])
    await sleep(500)
    const unfinished = readdirSync(dataDir).filter(name => name.includes('unfinished'))
    await servers.pop()?.stop()
    await start()
    const stillUnfinished = readdirSync(dataDir).filter(name => unfinished.includes(name))
    expect(stillUnfinished).toEqual([])
  })

  test('works where others may enter the parent folders, and where they may not', async () => {
    const parent = join(dataDir, '..')
    for (const mode of [0o755, 0o700]) {
      chmodSync(parent, mode)
      const server = await start()
      expect(await query(server.url, 'SELECT 1 AS n')).toEqual([{ n: 1 }])
      await server.stop()
      rmSync(dataDir, { recursive: true })
    }
  })

  test('leaves a folder alone that holds something else', async () => {
    mkdirSync(join(dataDir, 'postgres'), { recursive: true })
    writeFileSync(join(dataDir, 'postgres', 'letter.txt'), 'dear reader')
    writeFileSync(join(dataDir, 'postgres-password'), 'secret')
    await expect(start()).rejects.toThrow('not a Postgres database')
    expect(readFileSync(join(dataDir, 'postgres', 'letter.txt'), 'utf8')).toBe('dear reader')
  })

  test('names a data folder that cannot be used', async () => {
    writeFileSync(join(dataDir, '..', 'file'), '')
    const path = join(dataDir, '..', 'file', 'data')
    const attempt = startEmbeddedPostgres({ dataDir: path })
    await expect(attempt).rejects.toThrow(EmbeddedPostgresError)
    await expect(attempt).rejects.toThrow(`the data folder ${path} cannot be used`)
  })
})

describe('a data folder', () => {
  test('has one owner, whom the second is told', async () => {
    const owner = await startOwner()
    await expect(start()).rejects.toThrow(new DataFolderInUseError(dataDir, owner.pid))
    expect(await query(owner.url, 'SELECT 1 AS n')).toEqual([{ n: 1 }])
  })

  test('goes to one of several that start at the same moment', async () => {
    const attempts = await Promise.allSettled([start(), start(), start()])
    const errors = attempts.flatMap(({ status, ...rest }) =>
      status === 'rejected' && 'reason' in rest ? [rest.reason] : [],
    )
    expect(errors).toHaveLength(2)
    for (const error of errors) expect(error).toBeInstanceOf(DataFolderInUseError)
  })

  test('is free again after a stop', async () => {
    await (await start()).stop()
    await start()
    expect(readdirSync(join(dataDir, 'owners'))).toHaveLength(1)
  })
})

describe('after kill -9', () => {
  test('of the service, its Postgres ends and the next start has every commit', async () => {
    const owner = await startOwner()
    await query(owner.url, 'CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)')
    await killHard(owner.process)
    const { url } = await start()
    expect(await query(url, 'SELECT n FROM kept')).toEqual([{ n: 1 }])
  })

  test('of the service alone, nothing stays behind', async () => {
    const owner = await startOwner()
    await killHard(owner.process)
    expect(await waitUntil(() => !isServed(), PATIENCE_MS)).toBe(true)
  })

  test.runIf(process.platform === 'linux')(
    'of the service and its guard, the Postgres left behind is stopped first',
    async () => {
      const owner = await startOwner()
      await query(owner.url, 'CREATE TABLE kept (n int); INSERT INTO kept VALUES (2)')
      const orphan = postmasterPid()
      const guard = parentOf(orphan)
      process.kill(guard, 'SIGSTOP')
      await killHard(owner.process)
      killGroupExcept(guard, orphan)
      expect(isPostmasterOf(orphan, join(dataDir, 'postgres'))).toBe(true)
      const { url, pid } = await start()
      expect(pid).not.toBe(orphan)
      expect(processStart(orphan)).toBeNull()
      expect(await query(url, 'SELECT n FROM kept')).toEqual([{ n: 2 }])
    },
  )

  test('of everything, crash recovery brings every commit back', async () => {
    const owner = await startOwner()
    await query(owner.url, 'CREATE TABLE kept (n int); INSERT INTO kept VALUES (3)')
    process.kill(postmasterPid(), 'SIGKILL')
    await killHard(owner.process)
    const { url } = await start()
    expect(await query(url, 'SELECT n FROM kept')).toEqual([{ n: 3 }])
  })

  test('of Postgres alone, it is started again at the same address', async () => {
    const server = await start()
    const killed = server.pid
    process.kill(killed, 'SIGKILL')
    expect(await waitUntil(() => server.pid !== killed, PATIENCE_MS)).toBe(true)
    expect(await query(server.url, 'SELECT 1 AS n')).toEqual([{ n: 1 }])
  })

  test('a pid file whose pid is a stranger by now does not matter, and the stranger lives', async () => {
    const first = await start()
    const pidFile = join(dataDir, 'postgres', 'postmaster.pid')
    const lines = readFileSync(pidFile, 'utf8').split('\n').slice(1)
    const { uid, gid } = statSync(pidFile)
    await first.stop()
    const stranger = spawn('sleep', ['60'], process.getuid?.() === 0 ? { uid, gid } : {})
    writeFileSync(pidFile, [stranger.pid, ...lines].join('\n'))
    const { url } = await start()
    expect(await query(url, 'SELECT 1 AS n')).toEqual([{ n: 1 }])
    expect(stranger.exitCode ?? stranger.signalCode).toBeNull()
    stranger.kill('SIGKILL')
  })
})

describe('a running database', () => {
  test('survives a Ctrl-C that reaches the whole process group of its owner', async () => {
    const owner = await startOwner()
    process.kill(-owner.pid, 'SIGINT')
    await sleep(300)
    expect(await query(owner.url, 'SELECT 1 AS n')).toEqual([{ n: 1 }])
  })

  test('stops cleanly though a client sits in a transaction', async () => {
    const server = await start()
    const client = new pg.Client(server.url)
    client.on('error', () => {})
    await client.connect()
    await client.query('BEGIN; CREATE TABLE unfinished (n int)')
    await server.stop()
    expect(existsSync(join(dataDir, 'postgres', 'postmaster.pid'))).toBe(false)
    await client.end().catch(() => {})
  })

  test('writes neither rows nor statements to its log', async () => {
    const lines: string[] = []
    const { url } = await start(line => lines.push(line))
    await query(url, 'CREATE TABLE people (secret text PRIMARY KEY)')
    await query(url, `INSERT INTO people VALUES ('hush')`)
    await expect(query(url, `INSERT INTO people VALUES ('hush')`)).rejects.toThrow('duplicate key')
    expect(lines.join('\n')).not.toMatch(/hush|INSERT|people/)
  })
})

async function start(onLog: (line: string) => void = () => {}): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, onLog })
  servers.push(server)
  return server
}

function spawnOwner(): ChildProcess {
  const module = new URL('./embedded-postgres.ts', import.meta.url).href
  const args = ['--input-type=module', '-e', OWNER, module, dataDir]
  const child = spawn(process.execPath, args, { detached: true, stdio: ['ignore', 'pipe', 2] })
  owners.push(child)
  return child
}

async function startOwner(): Promise<Owner> {
  const child = spawnOwner()
  if (child.stdout === null || child.pid === undefined) throw new Error('the owner did not start')
  const [url] = await once(createInterface({ input: child.stdout }), 'line')
  return { process: child, pid: child.pid, url }
}

async function killHard(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

function postmasterPid(): number {
  return Number(readFileSync(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[0])
}

function isServed(): boolean {
  return existsSync(join(dataDir, 'postgres', 'postmaster.pid')) && isAlive(postmasterPid())
}

function isAlive(pid: number): boolean {
  return isPostmasterOf(pid, join(dataDir, 'postgres'))
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}

/** Kills the guard and the watcher that it forked, so that nobody stops the server. */
function killGroupExcept(guard: number, survivor: number): void {
  const children = readFileSync(`/proc/${guard}/task/${guard}/children`, 'utf8').trim().split(' ')
  for (const pid of children.map(Number)) if (pid !== survivor) process.kill(pid, 'SIGKILL')
  process.kill(guard, 'SIGKILL')
}
