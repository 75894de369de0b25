import { type AddressInfo, connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSecret } from '../src/api-keys/api-key-secret.ts'
import { buildApp } from '../src/app.ts'
import { createLogger } from '../src/http/logging.ts'
import { createMetrics } from '../src/http/metrics.ts'
import { sha256 } from '../src/shared/crypto.ts'
import { createGatedApp, type GatedApp } from './gated-app.ts'
import { openPostgresLine } from './postgres-line.ts'
import { hasRedisServer, startRedis } from './redis-fixture.ts'
import { createWorld, isAccepted, REVOKES, type World } from './revoked-meanwhile.ts'
import { TEST_OPERATOR_KEY } from './test-app.ts'
import { createTestCluster, TEST_PUBLIC_URL, type TestCluster, type TestNode } from './test-node.ts'

// Verify past the framework and through it, over real connections: nobody can tell them apart.

let cluster: TestCluster
let node: TestNode
let short: Way
let long: Way
/** Another node, through which things change: nobody here is told. */
let other: GatedApp
let world: World

beforeAll(async () => {
  cluster = await createTestCluster()
  node = cluster.node({ onError: () => {} })
  short = await openWay(node)
  long = await openWay(node, { isLong: true })
  other = await createGatedApp(cluster.node())
  world = await createWorld(other)
})
afterAll(async () => {
  // What a test that failed has left open would keep them from closing.
  for (const { app } of [short, long]) app.server.closeAllConnections()
  await Promise.all([short.app.close(), long.app.close(), other.close()])
  await cluster.close()
})

type Way = Awaited<ReturnType<typeof openWay>>
interface WayOptions {
  /** No request takes the shortcut. */
  isLong?: boolean
  redis?: Redis
  /** No token of a limit grows back. */
  isFrozen?: boolean
}

async function openWay(on: TestNode, { isLong = false, redis, isFrozen = false }: WayOptions = {}) {
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
class Line {
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
function verifyOf(body: string | Buffer, headers: Headers = {}, secret = world.key.secret): Buffer {
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

const goodOf = ({ key, session }: World, secret = key.secret): Buffer =>
  verifyOf(JSON.stringify({ token: session.accessToken }), {}, secret)

/** A connection that takes the shortcut from now on. */
async function openWarm(port: number, by = world): Promise<Line> {
  const line = new Line(port)
  for (let i = 0; i < 2; i++) expect((await line.ask(goodOf(by))).body.valid).toBe(true)
  line.forget()
  return line
}

// Parted by "¦". $T is a good token, $U all but its first letter; control characters are written by their pictures.
const BODIES = String.raw`
{"token":"$T"}¦{"token":"\u0065$U"}¦␉␊␍ {␊"token"␉:␍"$T" }␊␍␉¦{"token":""}¦{"token":"x"}¦{"token":"a.b"}¦{"token":"a.b.c"}
{"token":".."}¦{"token":"$Tx"}¦{"token":"$T.x"}¦{"token":" $T"}¦{"token":"eyJhbGciOiJub25lIn0.e30."}
{"token":"__proto__"}¦{"token":"constructor"}¦{"token":"<>&~!#"}¦␋{"token":"x"}¦{"token":"x"}␀
{"token":"x␀"}¦{"token":"x␉"}¦{"token":"x␡"}¦{"token":"x","token":"y"}¦{"token":"x","a":1}
{"a":1,"token":"x"}¦{"token":"\u0041"}¦{"to\u006ben":"x"}¦{"token":"\u0000"}¦{"token":"\ud800"}
{"token":"\""}¦{"token":"\\"}¦{"token":"\/"}¦{"__proto__":{"token":"x"}}¦{"token":"x","__proto__":1}
{}¦[]¦null¦"token"¦7¦{¦ ¦{"token":7}¦{"token":null}¦{"token":["x"]}¦{"token":{"token":"x"}}
{"Token":"x"}¦{"token":"x"}}¦{"token":"x"}x¦{"token":"x",}¦{'token':'x'}¦{"token":x}¦{"token":"x"
{"token" "x"}¦{"token":"é"}¦{"token":"${'\u2028'}"}¦${'\ufeff'}{"token":"x"}¦${'\u00a0'}{"token":"x"}`

// In place of what a verify has; "|" parts the values of one that comes more than once.
const HEADERS = `
content-type: application/json; charset=utf-8¦content-type: application/json;charset=UTF-8
content-type: Application/JSON¦content-type: application/json;¦content-type:¦content-type: text/plain
content-type: application/json; charset=latin1¦content-type: application/json, application/json
content-type: application/x-www-form-urlencoded¦content-type: application/json\t
content-type: application/json|application/json¦Content-Type: text/plain¦authorization: bearer $S
authorization: BEARER $S¦authorization: Bearer  $S¦authorization: Bearer\t$S
authorization:   Bearer $S \t¦authorization: Bearer$S¦authorization: Basic $S
authorization: Bearer $S, Bearer $S¦authorization: Bearer $Sx¦authorization: Bearer¦authorization:
authorization: Bearer $O¦authorization: Bearer $S|Bearer $S¦Authorization: Bearer x¦x-tenant-id: $I
X-Tenant-ID: $I¦x-tenant-id: tnt_01ARZ3NDEKTSV4RRFFQ69G5FAV¦x-tenant-id:¦x-tenant-id: $I, $I
x-tenant-id: $I|$I¦x-tenant-id: $I|x¦x-tenant-id: |¦content-length: 007¦content-length: +$L
content-length: 0$L¦content-length: -1¦content-length: 0x10¦content-length: 1e2¦content-length:
content-length: $L,$L¦content-length: 0¦content-length: 20¦content-length: 99999999999999999999
content-length: $L|$L¦host:¦host: a b¦host: a|b¦Host: b¦expect: 100-continue¦expect: x
transfer-encoding: chunked¦transfer-encoding: identity¦content-encoding: gzip
content-encoding: identity¦idempotency-key: k1¦Idempotency-Key: k1|k2¦accept-version: 1
upgrade: h2c¦connection: upgrade¦connection: close¦connection: keep-alive¦connection: Close, x
accept: text/html¦accept-encoding: gzip¦origin: https://a.example¦x-request-id: mine
x-forwarded-for: 1.1.1.1¦x-http-method-override: DELETE¦if-none-match: *¦cookie: a=b¦te: trailers
x-a: é¦x-a: ${'x'.repeat(17_000)}¦x y: z¦x-a: a\r b¦: x`

const REQUEST_LINES = `
POST $P? HTTP/1.1¦POST $P?a=1 HTTP/1.1¦POST $P/ HTTP/1.1¦POST $P#x HTTP/1.1¦POST $P%20 HTTP/1.1
POST http://a$P HTTP/1.1¦POST /$P HTTP/1.1¦POST /v1/Sessions/verify HTTP/1.1¦POST * HTTP/1.1
POST /v1/sessions/%76erify HTTP/1.1¦POST $P HTTP/1.0¦POST $P HTTP/1.2¦POST $P HTTP/2.0
POST  $P HTTP/1.1¦post $P HTTP/1.1¦GET $P HTTP/1.1¦HEAD $P HTTP/1.1¦OPTIONS $P HTTP/1.1
PUT $P HTTP/1.1¦DELETE $P HTTP/1.1¦FOO $P HTTP/1.1`

interface Case {
  name: string
  /** In as many packets. */
  packets: Buffer[]
  /** 0: none comes of it alone. */
  answers: number
}

const entriesOf = (table: string): string[] => table.slice(1).split(/[\n¦]/)
const joined = (...packets: (Buffer | string)[]) =>
  Buffer.concat(packets.map(each => Buffer.from(each)))

function cases(): Case[] {
  const { tenantId, key, session } = world
  const { accessToken: token } = session
  const all: Case[] = []
  const add = (name: string, packets: Buffer | Buffer[], answers = 1) =>
    void all.push({ name, packets: [packets].flat(), answers })
  const good = goodOf(world)
  const text = JSON.stringify({ token })

  for (const entry of entriesOf(BODIES)) {
    const body = entry.replace('$T', token).replace('$U', token.slice(1)).replaceAll('␡', '\u007f')
    const toControl = (picture: string) => String.fromCharCode(picture.charCodeAt(0) - 0x2400)
    add(entry, verifyOf(body.replace(/[\u2400-\u241f]/g, toControl)))
  }
  const known: Record<string, string> = {
    S: key.secret,
    I: tenantId,
    L: String(text.length),
    O: TEST_OPERATOR_KEY,
  }
  for (const entry of entriesOf(HEADERS)) {
    const [, name = '', values = ''] = /^([^:]*): ?(.*)$/s.exec(entry) ?? []
    const value = values.replace(/\$([SILO])/g, (_, of) => known[of] ?? '')
    add(entry.slice(0, 60), verifyOf(text, { [name]: value.split('|') }))
  }
  const withLine = (line: string, bytes = good) =>
    joined(line.replace('$P', '/v1/sessions/verify'), bytes.subarray(bytes.indexOf('\r\n')))
  for (const line of entriesOf(REQUEST_LINES))
    add(line, withLine(line), line.startsWith('HEAD') ? 0 : 1)

  for (const length of [9_999, 10_000, 70_000, 5_000_000])
    add(`a body of ${length}`, verifyOf(text.padEnd(length)))
  for (const length of [2_048, 2_049, 4_096, 4_097, 9_000])
    add(`a token of ${length}`, verifyOf(JSON.stringify({ token: token.padEnd(length, 'A') })))
  const wide = '{"token":"é"}'
  add('Latin-1', verifyOf(Buffer.from(wide, 'latin1')))
  add('UTF-16', verifyOf(Buffer.from(text, 'utf16le')))
  add('half a character', verifyOf(Buffer.from(wide).subarray(0, 11)))
  add('no host', verifyOf(text, { host: [] }))
  add('no host, 1.0', withLine('POST $P HTTP/1.0', verifyOf(text, { host: [] })))
  add('1.0, kept alive', withLine('POST $P HTTP/1.0', verifyOf(text, { connection: 'keep-alive' })))
  add('bare line feeds', Buffer.from(good.toString().replaceAll('\r\n', '\n')))
  add('an empty line before', joined('\r\n', good))
  add('a body that is short', verifyOf(text, { 'content-length': '9000' }), 0)
  add('a body that stops', good.subarray(0, -1), 0)
  add('headers that stop', good.subarray(0, 60), 0)

  const chunks = `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`
  const chunked = verifyOf(chunks, { 'transfer-encoding': 'chunked', 'content-length': [] })
  const get = `GET /v1/sessions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${key.secret}\r\n\r\n`
  const [empty, bad, foreign] = [verifyOf('{}'), verifyOf('{"token":7}'), verifyOf(text, {}, 'x')]
  const kinds = joined(get, good, empty, get, good, chunked, good, bad, foreign, good)
  const inPackets = (bytes: Buffer, bytesEach: number) =>
    Array.from({ length: Math.ceil(bytes.length / bytesEach) }, (_, i) =>
      bytes.subarray(i * bytesEach, (i + 1) * bytesEach),
    )
  add('in chunks', chunked)
  for (const bytesEach of [100, 400, 800])
    add(`packets of ${bytesEach}`, inPackets(good, bytesEach))
  add('a bad one in two', inPackets(bad, bad.length - 5))
  add('many at once', joined(good, bad, good, good), 4)
  add('all kinds at once', kinds, 10)
  add('all kinds in small packets', inPackets(kinds, 300), 10)
  add('one that closes', joined(good, verifyOf(text, { connection: 'close' }), good), 2)
  add('rubbish after it', joined(good, 'rubbish\r\n\r\n'), 2)
  add('rubbish after a bad one', joined(empty, 'rubbish\r\n\r\n'), 2)
  return all
}

const LAST = 'GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n'

/** All that comes back: for the case, and for one request more. */
async function outcomeOf(line: Line, { name, packets, answers }: Case): Promise<string> {
  for (const packet of packets) {
    line.socket.write(packet)
    if (packets.length > 1) await sleep(10)
  }
  await line.until(answers || 1, answers === 0 ? 300 : 5_000)
  const early = line.answers.length
  line.socket.write(LAST)
  await line.until(99, answers === 0 ? 300 : 5_000)
  line.socket.destroy()
  return JSON.stringify([name, early, line.isClosed, line.answers], null, 1)
}

describe('a verify on a connection that has verified before', () => {
  it('is answered as every other, and so is what comes after it', async () => {
    const table = cases()
    const compare = async (each: Case) => {
      const lines = [await openWarm(long.port), new Line(short.port), await openWarm(short.port)]
      const [usual, ...outcomes] = await Promise.all(lines.map(line => outcomeOf(line, each)))
      for (const outcome of outcomes) expect(outcome).toBe(usual)
    }
    for (let from = 0; from < table.length; from += 60)
      await Promise.all(table.slice(from, from + 60).map(compare))
  })

  it('takes the shortcut, and goes on with it after one that did not', async () => {
    const line = await openWarm(short.port)
    const before = short.longCount
    for (let i = 0; i < 10; i++) await line.ask(i === 5 ? verifyOf('{}') : goodOf(world))
    expect(short.longCount - before).toBe(1)
    line.socket.destroy()
  })

  it.each(REVOKES)('is refused at once when somebody revokes $name', async revoke => {
    const own = await createWorld(other)
    const lines = [await openWarm(short.port, own), await openWarm(long.port, own)]
    await revoke.run(other, own)
    const [ours, usual] = await Promise.all(lines.map(line => line.ask(goodOf(own))))
    expect(ours && isAccepted({ ...ours, headers: {} })).toBe(false)
    expect(ours).toEqual(usual)
    for (const line of lines) line.socket.destroy()
  })

  it('says what Postgres says of a session that has changed, and of a tenant that is back', async () => {
    const own = await createWorld(other)
    const line = await openWarm(short.port, own)
    const path = `/v1/sessions/${own.session.id}`
    await other.call(own.adminKey, 'PATCH', path, { body: { role: 'a"\\</b>' } })
    expect((await line.ask(goodOf(own))).body).toMatchObject({ valid: true, role: 'a"\\</b>' })
    for (const status of ['suspended', 'active'])
      await other.call(TEST_OPERATOR_KEY, 'PATCH', `/v1/tenants/${own.tenantId}`, {
        body: { status },
      })
    expect((await line.ask(goodOf(own))).body.valid).toBe(true)
    line.socket.destroy()
  })

  it('is judged by the key that it brings: of whom, with which scope, until when', async () => {
    const own = await createWorld(other)
    const line = await openWarm(short.port)
    const by = async (secret: string, of = own) => (await line.ask(goodOf(of, secret))).body
    const keyOf = async (body: object): Promise<string> =>
      (await other.call(own.adminKey, 'POST', '/v1/api-keys', { body: { name: 'k', ...body } }))
        .body.secret
    const blind = await keyOf({ scopes: ['sessions:read'] })
    const brief = await keyOf({ expires_at: new Date(Date.now() + 1_500) })
    for (let again = 0; again < 2; again++) {
      expect(await by(world.key.secret, world)).toMatchObject({ valid: true })
      expect(await by(own.key.secret, world)).toMatchObject({ valid: false })
      expect(await by(own.key.secret)).toMatchObject({ valid: true })
      expect(await by(blind)).toMatchObject({ code: 'scope_missing' })
      expect(await by(TEST_OPERATOR_KEY)).toMatchObject({ code: 'tenant_missing' })
      for (const _ of [1, 2]) expect(await by(brief)).toMatchObject({ valid: true })
    }
    await sleep(1_500)
    expect(await by(brief)).toMatchObject({ code: 'api_key_invalid' })
    line.socket.destroy()
  })
})

describe.each(['long', 'short'])('the %s way', name => {
  const isLong = name === 'long'

  /** How many of 40 on two connections are let in, where the burst is 20 and four are spent. */
  async function countAllowed(way: Way): Promise<number> {
    const own = await createWorld(other)
    const settings = { rate_limit_per_second: 10 }
    await other.call(TEST_OPERATOR_KEY, 'PATCH', `/v1/tenants/${own.tenantId}`, {
      body: { settings },
    })
    const lines = [await openWarm(way.port, own), await openWarm(way.port, own)]
    const others = ['{}', '{"token":"\\u0041"}', '{', '{"token":"x"}', '[]']
    const bodies = others.map(body => verifyOf(body, {}, own.key.secret))
    const mixed = joined(...bodies.flatMap(body => [goodOf(own), body]))
    for (const { socket } of lines) socket.write(joined(mixed, mixed))
    await Promise.all(lines.map(line => line.until(20)))
    const answers = lines.flatMap(line => line.answers)
    const refused = answers.filter(({ status }) => status === 429)
    expect(answers).toHaveLength(40)
    for (const { head, body } of refused) {
      expect(body.code).toBe('rate_limit_exceeded')
      expect(head).toContain('retry-after: 1')
      expect(head).toContain('ratelimit-policy: "key";q=20;w=2, "tenant";q=100;w=2')
    }
    for (const { socket } of lines) socket.destroy()
    return 40 - refused.length
  }

  it('allows as many as the limit says, whatever is in the bodies', async () => {
    const way = await openWay(node, { isFrozen: true, isLong })
    expect(await countAllowed(way)).toBe(16)
    await way.app.close()
  })

  it.runIf(hasRedisServer)('and as many where all nodes share it', async () => {
    const redis = await startRedis()
    const way = await openWay(node, { redis: await redis.connect(), isLong })
    const begunMs = performance.now()
    const allowed = await countAllowed(way)
    expect(allowed).toBeGreaterThanOrEqual(16)
    expect(allowed).toBeLessThanOrEqual(17 + (performance.now() - begunMs) / 100)
    await way.app.close()
    await redis.close()
  })

  it('lets a key that it knows in, though somebody at its address guesses keys', async () => {
    const own = await createWorld(other)
    const way = await openWay(node, { isFrozen: true, isLong })
    const line = await openWarm(way.port, own)
    const guesser = new Line(way.port)
    for (let i = 0; i < 150; i++)
      guesser.socket.write(goodOf(own, createSecret(own.tenantId, 'live').secret))
    await guesser.until(150)
    expect(guesser.answers.at(-1)?.status).toBe(429)
    // Of all keys of the tenant this node now asks anew.
    const path = `/v1/api-keys/${own.key.id}`
    expect(
      (await other.call(own.adminKey, 'POST', `${path}/rotate`, { body: { overlap_seconds: 60 } }))
        .status,
    ).toBe(200)
    expect(await line.ask(goodOf(own))).toMatchObject({ status: 200, body: { valid: true } })
    for (const { socket } of [guesser, line]) socket.destroy()
    await way.app.close()
  })

  it('says within about a second that Postgres stands still, and goes on after', async () => {
    const postgres = await openPostgresLine(cluster.databaseUrl)
    const far = cluster.node({ databaseUrl: postgres.url, onError: () => {} })
    const way = await openWay(far, { isLong })
    const good = goodOf(world)
    const kinds = [
      [good],
      [verifyOf('{}')],
      [good.subarray(0, -9), good.subarray(-9)],
      [good, good],
    ]
    const lines = await Promise.all(kinds.map(() => openWarm(way.port)))
    postgres.stall()
    const begunMs = performance.now()
    const whileStalled = async (line: Line, packets: Buffer[] = []) => {
      for (const packet of packets) {
        line.socket.write(packet)
        await sleep(100)
      }
      await line.until(packets[1] === good ? 2 : 1)
      expect(line.answers.length).toBeGreaterThan(0)
      for (const { status, head, body } of line.answers)
        expect([status, body.code, head.includes('retry-after: 1')]).toEqual([
          503,
          'service_unavailable',
          true,
        ])
      expect(performance.now() - begunMs).toBeLessThan(1_700)
    }
    await Promise.all(lines.map((line, i) => whileStalled(line, kinds[i])))
    postgres.resume()
    const isServed = async () =>
      (await Promise.all(lines.map(line => line.ask(good)))).every(({ body }) => body.valid)
    await expect.poll(isServed, { timeout: 5_000 }).toBe(true)
    const cut = lines.map(line => line.ask(good))
    postgres.cut()
    for (const { status } of await Promise.all(cut)) expect([200, 503]).toContain(status)
    await expect.poll(isServed, { timeout: 5_000 }).toBe(true)
    for (const { socket } of lines) socket.destroy()
    await way.app.close()
    await postgres.close()
  })
})

/** Runs on each way: what comes of it, what is logged and what is counted must be the same. */
async function expectAlike(run: (way: Way) => Promise<unknown>): Promise<void> {
  const records = []
  for (const isLong of [true, false]) {
    const way = await openWay(node, { isLong })
    const result = await run(way)
    await way.app.close()
    const logged = way.lines.map(line => {
      const { time, duration_ms, request_id, err, ...rest } = JSON.parse(line)
      return { ...rest, kinds: [time, duration_ms, request_id, err].map(each => typeof each) }
    })
    records.push({ result, logged, counted: way.counted.sort() })
  }
  expect(records[1]).toEqual(records[0])
}

describe('nobody can tell the two ways apart', () => {
  it('by what is logged and counted: each request once, with the same in it', () =>
    expectAlike(async way => {
      const line = await openWarm(way.port)
      for (const body of ['{"token":"x"}', '{}', '{"token":"\\u0041"}', '{', '{"token":"x"}'])
        await line.ask(verifyOf(body))
      await line.ask(verifyOf('{}', { 'x-tenant-id': 'x' }))
      await sleep(20)
      expect(way.lines).toHaveLength(8)
      line.socket.destroy()
    }))

  it('by a fault inside: a 500, and the line of an error', () =>
    expectAlike(async way => {
      const line = await openWarm(way.port)
      way.isFaulty = true
      // Vitest counts what nobody caught as an error of its own.
      const listeners = process.listeners('unhandledRejection')
      let uncaught = 0
      process.removeAllListeners('unhandledRejection').on('unhandledRejection', () => uncaught++)
      line.socket.write(goodOf(world))
      await line.until(1, 500)
      process.removeAllListeners('unhandledRejection')
      for (const each of listeners) process.on('unhandledRejection', each)
      line.socket.destroy()
      return { uncaught, answers: line.answers }
    }))

  it.each<[moment: string, leave: (socket: Socket, bytes: Buffer) => unknown]>([
    [
      'after the headers',
      (socket, bytes) => socket.write(bytes.subarray(0, -99), () => socket.destroy()),
    ],
    ['before the answer', (socket, bytes) => socket.write(bytes, () => socket.destroy())],
    ['by half', (socket, bytes) => socket.end(bytes)],
  ])('when the client leaves %s', (_, leave) =>
    expectAlike(async way => {
      const line = await openWarm(way.port)
      way.delayMs = 60
      leave(line.socket, goodOf(world))
      await sleep(200)
      return { answers: line.answers, isClosed: line.isClosed }
    }),
  )

  it('by a stop: what was accepted is answered, and what comes later told that it closes', () =>
    expectAlike(async way => {
      const good = goodOf(world)
      const lines = await Promise.all(Array.from({ length: 20 }, () => openWarm(way.port)))
      way.delayMs = 100
      for (const { socket } of lines) socket.write(good)
      await sleep(40)
      way.isStopping = true
      for (const { socket } of lines.slice(0, 5)) socket.write(good)
      await sleep(10)
      const closed = way.app.close()
      for (const { socket } of lines.slice(0, 10)) socket.write(good)
      const sweep = setInterval(() => way.app.server.closeIdleConnections(), 50)
      await closed
      clearInterval(sweep)
      await Promise.all(lines.map(line => line.until(99)))
      const counts = lines.map((_, i) => (i < 5 ? 3 : i < 10 ? 2 : 1))
      expect(lines.map(({ answers }) => answers.length)).toEqual(counts)
      return lines.map(({ answers }) => answers)
    }))
})

it('clients that leave at any moment leave nothing behind', async () => {
  const good = goodOf(world)
  const leave = async (i: number) => {
    const line = await openWarm(short.port)
    line.socket.write(joined(good, good.subarray(0, [80, -10, good.length][i % 3])))
    if (i % 2 === 0) await new Promise(setImmediate)
    if (i % 5 === 0) line.socket.resetAndDestroy()
    else line.socket.destroy()
  }
  for (let round = 0; round < 20; round++)
    await Promise.all(Array.from({ length: 50 }, (_, i) => leave(i)))
  const { server } = short.app
  const open = () => new Promise(resolve => server.getConnections((_, count) => resolve(count)))
  await expect.poll(open, { timeout: 3_000 }).toBe(0)
})
