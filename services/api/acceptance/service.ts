import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Answer } from '../test/test-app.ts'

const SERVER = join(import.meta.dirname, '../src/server.ts')
const START_LIMIT_MS = 40_000

/** The service as its users see it: a process, what it prints, and HTTP. */
export interface Service {
  url: string
  stdout(): string
  request(path: string, request?: Request): Promise<Response>
  kill(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

export interface Request {
  key?: string
  method?: string
  headers?: Record<string, string>
  body?: unknown
}

export interface Response {
  status: number
  headers: Headers
  body: Answer['body']
}

/** A temporary folder and whatever was started for a test, to be taken down in the end. */
export interface Stage {
  folder: string
  start(settings?: Record<string, string>): Promise<Service>
  onEnd(cleanup: () => unknown): void
  end(): Promise<void>
}

export function createStage(): Stage {
  const folder = mkdtempSync(join(tmpdir(), 'sesame-acceptance-'))
  const cleanups: (() => unknown)[] = [
    () => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 }),
  ]
  return {
    folder,
    onEnd: cleanup => void cleanups.push(cleanup),
    async start(settings = {}) {
      const service = await startService({
        SESAME_DATA_DIR: join(folder, 'data'),
        PORT: String(await freePort()),
        METRICS_PORT: 'off',
        ...settings,
      })
      cleanups.push(() => service.kill('SIGTERM'))
      return service
    },
    async end() {
      for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
    },
  }
}

async function startService(settings: Record<string, string>): Promise<Service> {
  const { PATH = '', HOME = '' } = process.env
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', SERVER], {
    env: { PATH, HOME, LOG_LEVEL: 'warn', ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', text => (output.stdout += text))
  child.stderr.setEncoding('utf8').on('data', text => (output.stderr += text))
  const url = await readyUrl(child, output)
  return {
    url,
    stdout: () => output.stdout,
    request: (path, request) => send(url + path, request),
    kill: signal => end(child, signal),
  }
}

const READY = /^Sesame is ready on (http:\/\/\S+)$/m

async function readyUrl(
  child: ChildProcess,
  output: { stdout: string; stderr: string },
): Promise<string> {
  const deadline = Date.now() + START_LIMIT_MS
  for (;;) {
    const url = READY.exec(output.stdout)?.[1]
    if (url !== undefined) return url
    if (child.exitCode !== null || Date.now() > deadline) {
      await end(child, 'SIGKILL')
      throw new Error(`the service did not start: ${output.stderr}`)
    }
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill(signal)
  await exited
}

async function send(
  url: string,
  { key, method = 'GET', headers = {}, body }: Request = {},
): Promise<Response> {
  const response = await fetch(url, {
    method,
    headers: {
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? null : JSON.parse(text),
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port is free')
  return address.port
}

/** What a first start shows. */
export function shownBy(stdout: string) {
  const shown = (label: string): string =>
    new RegExp(`^ *${label} +(\\S+)$`, 'm').exec(stdout)?.[1] ?? ''
  return {
    operatorKey: shown('Operator key'),
    masterKey: shown('Master key'),
    tenantId: shown('Demo tenant'),
    key: shown('Secret key'),
  }
}
