import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { startEmbeddedPostgres } from '@sesame/db'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

// Real processes, as an operator starts and stops them.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 })

const SERVER = join(import.meta.dirname, '../src/server.ts')
const READY = /^Sesame is ready on (http:\/\/\S+)$/m
const STOP_LIMIT_MS = 10_000

type Settings = Record<string, string>

interface Service {
  process: ChildProcess
  url: string
  stdout(): string
  stderr(): string
  exit: Promise<number | null>
}

let folder = ''
let dataDir = ''
let port = 0
const started: ChildProcess[] = []
const cleanups: (() => unknown)[] = []

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sesame-launch-'))
  dataDir = join(folder, 'data')
  port = await freePort()
})

afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      await exited
    }
  }
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
})

describe('a first start', () => {
  test('shows its secrets once, and lines that work when pasted into bash', async () => {
    const first = await start()
    expect(first.url).toBe(`http://127.0.0.1:${port}`)
    expect(lastLine(first.stdout())).toBe(`Sesame is ready on ${first.url}`)
    expect(first.stdout()).toMatch(/^ {2}Operator key {2}ok_[\w-]{43}$/m)
    expect(first.stdout()).toMatch(/^ {2}Master key {4}[\w-]{43}$/m)
    const { stdout } = await promisify(execFile)('bash', ['-c', tourOf(first.stdout())])
    const answers = stdout.trim().split('\n')
    expect(answers).toHaveLength(6)
    expect(answers[1]).toContain('"valid":true')
    expect(JSON.parse(answers[2] ?? '').keys[0]).toMatchObject({ kty: 'OKP', alg: 'EdDSA' })
    expect(JSON.parse(answers[3] ?? '').data).toHaveLength(1)
    expect(answers[4]).toBe('204')
    expect(JSON.parse(answers[5] ?? '')).toEqual({ valid: false, reason: 'session_revoked' })
    await stop(first)
    const second = await start()
    expect(second.stdout()).toBe(`Sesame is ready on ${second.url}\n`)
    expect(await operatorStatus(second, operatorKeyIn(first.stdout()))).toBe(200)
    expect(await operatorStatus(second, `ok_${'x'.repeat(43)}`)).toBe(401)
  })

  test('keeps the master key where only its owner reads it', async () => {
    const { stdout } = await start()
    const path = join(dataDir, 'master-key')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(stdout()).toContain(readFileSync(path, 'utf8').trim())
  })

  test('shows nothing that the environment gave', async () => {
    const given = {
      SESAME_OPERATOR_KEY: `ok_${'o'.repeat(40)}`,
      SESAME_MASTER_KEY: Buffer.alloc(32, 9).toString('base64url'),
    }
    const service = await start(given)
    expect(await operatorStatus(service, given.SESAME_OPERATOR_KEY)).toBe(200)
    const output = service.stdout() + service.stderr()
    for (const secret of Object.values(given)) expect(output).not.toContain(secret)
    expect(service.stdout()).toContain('Demo tenant')
  })

  test('makes no demo tenant where none is wanted', async () => {
    expect((await start({ SESAME_DEMO_TENANT: 'false' })).stdout()).not.toContain('Demo tenant')
  })

  test('that was killed half-way is done again, with secrets that work', async () => {
    for (const lifetimeMs of [300, 800, 1_100, 1_400]) {
      const { process: child } = launch()
      await sleep(lifetimeMs)
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    const service = await start()
    expect(await statusOf(service, '/readyz')).toBe(200)
  })
})

describe('several nodes on one database', () => {
  test('that start together make one demo tenant and show it once', async () => {
    const databaseUrl = await externalDatabase()
    const key = Buffer.alloc(32, 5).toString('base64url')
    const settings = { DATABASE_URL: databaseUrl, SESAME_MASTER_KEY: key }
    const ports = [port, await freePort(), await freePort()]
    const nodes = await Promise.all(ports.map(p => start({ ...settings, PORT: String(p) })))
    const shown = nodes.filter(node => node.stdout().includes('Demo tenant'))
    expect(shown).toHaveLength(1)
    const operatorKeys = nodes.filter(node => node.stdout().includes('Operator key'))
    expect(operatorKeys).toEqual(shown)
    expect(await count(databaseUrl, 'tenants')).toBe(1)
    const operatorKey = operatorKeyIn(shown[0]?.stdout() ?? '')
    for (const node of nodes) expect(await operatorStatus(node, operatorKey)).toBe(200)
  })

  test('refuse a master key that the data was not made with', async () => {
    const settings = { DATABASE_URL: await externalDatabase() }
    await stop(await start(settings))
    const key = Buffer.alloc(32, 6).toString('base64url')
    const other = await failedStart({ ...settings, SESAME_MASTER_KEY: key })
    expect(other).toEqual([expect.stringMatching(/^the master key in SESAME_MASTER_KEY is not/)])
    const none = await failedStart({ ...settings, SESAME_DATA_DIR: join(folder, 'elsewhere') })
    expect(none).toEqual([expect.stringMatching(/^this database was made with a master key/)])
  })
})

describe('a start that cannot be', () => {
  test('names each wrong setting in a line, and exits with 1', async () => {
    const lines = await failedStart({ PORT: 'x', LOG_LEVEL: 'loud', SESAME_TYPO: 'secret-value' })
    expect(lines.map(line => line.split(' ')[0])).toEqual(['PORT', 'LOG_LEVEL', 'unknown'])
    expect(lines.join()).not.toContain('secret-value')
  })

  test('says that the port is taken', async () => {
    await listen(port)
    expect(await failedStart()).toEqual([
      `port ${port} on 127.0.0.1 is taken: set PORT to a free one`,
    ])
  })

  test('says who uses the data folder', async () => {
    const first = await start()
    expect(await failedStart({ PORT: String(await freePort()) })).toEqual([
      `data folder in use: ${dataDir} belongs to the running process ${first.process.pid}`,
    ])
  })

  test('says that the data folder cannot be used', async () => {
    writeFileSync(join(folder, 'file'), '')
    const lines = await failedStart({ SESAME_DATA_DIR: join(folder, 'file', 'data') })
    expect(lines).toEqual([expect.stringMatching(/^the data folder \S+ cannot be used: /)])
  })

  test('says that the database is out of reach, without its password', async () => {
    const closed = await freePort()
    const DATABASE_URL = `postgresql://me:hush@127.0.0.1:${closed}/db`
    const lines = await failedStart({ DATABASE_URL })
    expect(lines).toEqual([expect.stringMatching(/^database unreachable: connect ECONNREFUSED /)])
    expect(lines.join()).not.toContain('hush')
  })

  test('says that an address is not of this machine', async () => {
    const lines = await failedStart({ HOST: '192.0.2.1' })
    expect(lines).toEqual(['cannot listen on 192.0.2.1: set HOST to an address of this machine'])
  })

  test('says that the database belongs to somebody else', async () => {
    const DATABASE_URL = await externalDatabase()
    await query(DATABASE_URL, 'CREATE TABLE tenants (stray int)')
    const lines = await failedStart({ DATABASE_URL })
    expect(lines).toEqual([
      'the database holds tables that are not of Sesame: give it one that is empty',
    ])
  })
})

describe('a stop', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('by %s is clean and quick', async signal => {
    const service = await start()
    await statusOf(service, '/healthz')
    expect(await stop(service, signal)).toBe(0)
    const log = await start().then(next => next.stderr())
    expect(log).not.toMatch(/not properly shut down|recovery/)
  })

  test('lets a request in flight finish', async () => {
    const service = await start()
    const body = JSON.stringify({ user_id: 'usr_1' })
    const slow = openRequest(service, body.length)
    slow.write(body.slice(0, 5))
    await sleep(300)
    service.process.kill('SIGTERM')
    await sleep(700)
    await expect(fetch(`${service.url}/healthz`)).rejects.toThrow()
    slow.end(body.slice(5))
    const [response] = await once(slow, 'response')
    expect(response.statusCode).toBe(201)
    response.resume()
    expect(await service.exit).toBe(0)
  })

  test('does not wait for ever for a client that hangs', async () => {
    const service = await start()
    const hanging = openRequest(service, 100)
    hanging.on('error', () => {})
    hanging.write('{')
    const silent = connect(port, '127.0.0.1').on('error', () => {})
    await sleep(300)
    expect(await stop(service)).toBe(0)
    silent.destroy()
  })

  test('comes once from a Ctrl-C that arrives several times', async () => {
    const service = await start()
    for (const signal of ['SIGINT', 'SIGINT', 'SIGTERM'] as const) service.process.kill(signal)
    expect(await service.exit).toBe(0)
  })

  test('is forced by a second Ctrl-C', async () => {
    const service = await start()
    const hanging = openRequest(service, 100)
    hanging.on('error', () => {})
    hanging.write('{')
    await sleep(300)
    service.process.kill('SIGINT')
    await sleep(1_500)
    service.process.kill('SIGINT')
    expect(await service.exit).toBe(1)
    await start()
  })

  test.each([50, 400, 900, 1_300])('%i ms into a start leaves nothing broken', async delayMs => {
    const early = launch()
    await sleep(delayMs)
    early.process.kill('SIGTERM')
    const limit = AbortSignal.timeout(STOP_LIMIT_MS)
    await Promise.race([early.exit, once(limit, 'abort').then(() => expect.fail('did not stop'))])
    const service = await start()
    expect(await statusOf(service, '/readyz')).toBe(200)
  })
})

describe('after kill -9', () => {
  test('of the service under load, every acknowledged session is there', async () => {
    const first = await start()
    const secret = /Secret key {4}(\S+)/.exec(first.stdout())?.[1] ?? ''
    const acknowledged: string[] = []
    const clients = Array.from({ length: 8 }, async () => {
      for (;;) {
        const id = await createSession(first, secret).catch(() => null)
        if (id === null) return
        acknowledged.push(id)
      }
    })
    await sleep(1_000)
    first.process.kill('SIGKILL')
    await Promise.all(clients)
    const second = await start()
    expect(acknowledged.length).toBeGreaterThan(10)
    for (const id of acknowledged) {
      const headers = { authorization: `Bearer ${secret}` }
      const response = await fetch(`${second.url}/v1/sessions/${id}`, { headers })
      expect(response.status).toBe(200)
      await response.text()
    }
  })
})

function launch(settings: Settings = {}): Service {
  const env = { PATH: process.env.PATH, SESAME_DATA_DIR: dataDir, PORT: String(port) }
  const defaults = { METRICS_PORT: 'off', LOG_LEVEL: 'debug' }
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', SERVER], {
    cwd: folder,
    env: { ...env, ...defaults, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  started.push(child)
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const exit = once(child, 'close').then(([code]) => code)
  return {
    process: child,
    url: `http://127.0.0.1:${settings.PORT ?? port}`,
    stdout: () => stdout,
    stderr: () => stderr,
    exit,
  }
}

async function start(settings: Settings = {}): Promise<Service> {
  const service = launch(settings)
  const hasEnded = service.exit.then(code => {
    throw new Error(`ended with ${code}: ${service.stderr()}`)
  })
  hasEnded.catch(() => {})
  const isReady = vi.waitUntil(() => READY.test(service.stdout()), { timeout: 45_000 })
  await Promise.race([isReady, hasEnded])
  return service
}

async function stop(service: Service, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
  service.process.kill(signal)
  const limit = setTimeout(() => service.process.kill('SIGKILL'), STOP_LIMIT_MS)
  const code = await service.exit
  clearTimeout(limit)
  return code
}

/** The lines on stderr of a start that must fail. */
async function failedStart(settings: Settings = {}): Promise<string[]> {
  const service = launch({ LOG_LEVEL: 'fatal', ...settings })
  expect(await service.exit).toBe(1)
  expect(service.stdout()).not.toMatch(READY)
  return service.stderr().trimEnd().split('\n')
}

async function externalDatabase(): Promise<string> {
  const server = await startEmbeddedPostgres({ dataDir: join(folder, 'elsewhere-postgres') })
  cleanups.push(() => server.stop())
  return server.url
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

async function count(url: string, table: string): Promise<unknown> {
  const [row] = await query(url, `SELECT count(*)::int AS count FROM ${table}`)
  return row?.count
}

function tourOf(output: string): string {
  return output
    .split('\n')
    .filter(line => /^(curl |[A-Z]+=)/.test(line))
    .join('\n')
}

function lastLine(output: string): string | undefined {
  return output.trimEnd().split('\n').at(-1)
}

function operatorKeyIn(output: string): string {
  return /Operator key {2}(\S+)/.exec(output)?.[1] ?? ''
}

async function operatorStatus(service: Service, operatorKey: string): Promise<number> {
  const headers = { authorization: `Bearer ${operatorKey}` }
  const response = await fetch(`${service.url}/v1/tenants`, { headers })
  await response.text()
  return response.status
}

async function statusOf({ url }: Service, path: string): Promise<number> {
  const response = await fetch(url + path)
  await response.text()
  return response.status
}

async function createSession({ url }: Service, secret: string): Promise<string> {
  const headers = { authorization: `Bearer ${secret}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ user_id: 'usr_1' })
  const response = await fetch(`${url}/v1/sessions`, { method: 'POST', headers, body })
  const id = /"id":"(ses_\w+)"/.exec(await response.text())?.[1]
  if (response.status !== 201 || id === undefined) throw new Error('not created')
  return id
}

function openRequest(service: Service, length: number) {
  const secret = /Secret key {4}(\S+)/.exec(service.stdout())?.[1]
  return request(`${service.url}/v1/sessions`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${secret}`,
      'content-type': 'application/json',
      'content-length': length,
    },
  })
}

async function listen(onPort: number): Promise<Server> {
  const server = createServer()
  server.listen(onPort, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => server.close())
  return server
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return address !== null && typeof address === 'object' ? address.port : 0
}
