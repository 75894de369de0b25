import { type AddressInfo, connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { expect } from 'vitest'
import { buildApp } from '../src/app.ts'
import { createLogger } from '../src/http/logging.ts'
import { createMetrics } from '../src/http/metrics.ts'
import { sha256 } from '../src/shared/crypto.ts'
import { createGatedApp } from './gated-app.ts'
import { createWorld, type World } from './revoked-meanwhile.ts'
import { TEST_OPERATOR_KEY } from './test-app.ts'
import { createTestCluster, TEST_PUBLIC_URL, type TestNode } from './test-node.ts'

export type Ways = Awaited<ReturnType<typeof openWays>>

/** Verify past the framework and through it, on one node, over real connections. */
export async function openWays() {
  const cluster = await createTestCluster()
  const node = cluster.node({ onError: () => {} })
  const short = await openWay(node)
  const long = await openWay(node, { isLong: true })
  /** Another node, through which things change: nobody here is told. */
  const other = await createGatedApp(cluster.node())
  const world = await createWorld(other)
  return {
    ...{ cluster, node, short, long, other, world },
    async close() {
      // What a test that failed has left open would keep them from closing.
      for (const { app } of [short, long]) app.server.closeAllConnections()
      await Promise.all([short.app.close(), long.app.close(), other.close()])
      await cluster.close()
    },
  }
}

export type Way = Awaited<ReturnType<typeof openWay>>
interface WayOptions {
  /** No request takes the shortcut. */
  isLong?: boolean
  redis?: Redis
  /** No token of a limit grows back. */
  isFrozen?: boolean
}

export async function openWay(
  on: TestNode,
  { isLong = false, redis, isFrozen = false }: WayOptions = {},
) {
  const { apiKeys, freshness, verifier } = on.services
  const { durations, ...metrics } = createMetrics()
  const way = {
    ...{ port: 0, delayMs: 0, isFaulty: false, isStopping: false, longCount: 0 },
    ...{ lines: [] as string[], counted: [] as string[] },
  }
  const delay = () => (way.delayMs > 0 ? sleep(way.delayMs) : undefined)
  const fail = () => {
    if (way.isFaulty) throw new Error('a fault')
  }
  const observe = (route: string) => (status: number) => void way.counted.push(`${route} ${status}`)
  const app = await buildApp({
    config: { publicUrl: TEST_PUBLIC_URL, trustProxy: false },
    services: {
      ...on.services,
      freshness: {
        ...freshness,
        current: tenantId => {
          const copy = freshness.current(tenantId)
          return way.delayMs > 0 ? copy.finally(delay) : copy
        },
      },
      apiKeys: {
        ...apiKeys,
        // The shortcut never comes here.
        async authenticate(secret, guard, copy) {
          way.longCount++
          if (copy === undefined) await delay()
          return apiKeys.authenticate(secret, guard, copy)
        },
      },
      verifier: {
        ...verifier,
        verify: (...given) => fail() ?? verifier.verify(...given),
        verifyByCopy: (...given) => fail() ?? verifier.verifyByCopy(...given),
      },
    },
    log: createLogger({ level: 'info', destination: { write: line => way.lines.push(line) } }),
    operatorKeyHash: sha256(TEST_OPERATOR_KEY),
    clock: isFrozen ? { ...on.clock, monotonicMs: () => 0 } : on.clock,
    redis: redis ?? null,
    metrics: {
      ...metrics,
      verifyVerdict: reason => void way.counted.push(reason),
      durations: {
        ...durations,
        forRoute: (method, route) => ({ observe: observe(`${method} ${route}`) }),
      },
    },
    isStopping: () => isLong || way.isStopping,
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  way.lines.length = 0
  way.port = (app.server.address() as AddressInfo).port
  return Object.assign(way, { app })
}

/** One connection, and what came back on it. */
export class Line {
  readonly socket: Socket
  isClosed = false
  #bytes = ''

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true }).setMaxListeners(0)
    this.socket.on('error', () => {})
    this.socket.on('data', chunk => {
      this.#bytes += chunk.toString('latin1')
    })
    this.socket.on('close', () => {
      this.isClosed = true
    })
  }

  get answers(): Answer[] {
    return readAnswers(this.#bytes)
  }

  /** Until so many whole answers are there, or the connection is closed, or time is up. */
  async until(count: number, timeoutMs = 5_000): Promise<void> {
    const endMs = performance.now() + timeoutMs
    while (!this.isClosed && this.answers.length < count && performance.now() < endMs)
      await sleep(2)
  }

  forget(): void {
    this.#bytes = ''
  }

  async ask(bytes: Buffer): Promise<Answer> {
    this.forget()
    this.socket.write(bytes)
    await this.until(1)
    const [answer = { status: 0, head: [], body: null }] = this.answers
    return answer
  }
}

interface Answer {
  status: number
  /** In order, without what differs from one request to the next. */
  head: string[]
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what came over the wire as it is
  body: any
}

function readAnswers(bytes: string): Answer[] {
  const answers: Answer[] = []
  for (let at = 0; ; ) {
    const end = bytes.indexOf('\r\n\r\n', at)
    if (end < 0) return answers
    const [statusLine = '', ...lines] = bytes.slice(at, end).split('\r\n')
    const status = Number(statusLine.split(' ')[1])
    const length = Number(/^content-length: (\d+)$/im.exec(lines.join('\n'))?.[1] ?? 0)
    const start = end + 4
    // The answer to a HEAD has none.
    at = status < 200 || bytes.startsWith('HTTP/1.1 ', start) ? start : start + length
    if (bytes.length < at) return answers
    const text = bytes.slice(start, at).replace(/req_[0-9A-Z]{26}/, '-')
    const head = lines
      .map(line => line.replace(/^(date|x-request-id): .*/i, '$1').replace(/([rt])=\d+/g, '$1'))
      .sort()
    answers.push({ status, head, body: text.startsWith('{') ? JSON.parse(text) : text })
  }
}

type Headers = Record<string, string | string[]>

/** A verify, with other headers than it should have where they are given. */
export function verifyOf(
  { key }: World,
  body: string | Buffer,
  headers: Headers = {},
  secret = key.secret,
): Buffer {
  const bytes = Buffer.from(body)
  const all: Headers = {
    ...{ host: 'a', authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
    ...{ 'content-length': String(bytes.length), ...headers },
  }
  const lines = Object.entries(all).flatMap(([name, values]) =>
    [values].flat().map(value => `${name}: ${value}\r\n`),
  )
  const head = `POST /v1/sessions/verify HTTP/1.1\r\n${lines.join('')}\r\n`
  return Buffer.concat([Buffer.from(head), bytes])
}

export const goodOf = (by: World, secret = by.key.secret): Buffer =>
  verifyOf(by, JSON.stringify({ token: by.session.accessToken }), {}, secret)

/** A connection that takes the shortcut from now on. */
export async function openWarm(port: number, by: World): Promise<Line> {
  const line = new Line(port)
  for (let i = 0; i < 2; i++) expect((await line.ask(goodOf(by))).body.valid).toBe(true)
  line.forget()
  return line
}

export const joined = (...packets: (Buffer | string)[]) =>
  Buffer.concat(packets.map(each => Buffer.from(each)))
