import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  claimsFor,
  createTestKey,
  event,
  type FeedService,
  inSeconds,
  json,
  SECRET_KEY,
  sessionRevoked,
  sessionsRevoked,
  startFeedService,
} from '../../test/feed-service.ts'
import { createLocalVerifier } from './local-verifier.ts'
import { systemRuntime } from './runtime.ts'
import { readSettings } from './settings.ts'
import type { VerifiedSession } from './verification.ts'
import type { Verifier, VerifierOptions } from './verifier.ts'

let service: FeedService
let skippedMs = 0
const open: Verifier[] = []

beforeEach(async () => {
  service = await startFeedService()
  skippedMs = 0
})
afterEach(async () => {
  for (const verify of open.splice(0)) verify.close()
  await service.close()
})

/** Real time, which a test may skip: as a process sees it that was stopped meanwhile. */
const runtime = {
  ...systemRuntime,
  nowMs: () => Date.now() + skippedMs,
  monotonicMs: () => performance.now() + skippedMs,
  random: () => 0.01,
}

function verifier(options: Partial<VerifierOptions> = {}): Verifier {
  const settings = { issuer: service.issuer, revocations: { secretKey: SECRET_KEY }, ...options }
  const verify = createLocalVerifier(readSettings(settings), runtime)
  open.push(verify)
  return verify
}

async function token(given: Record<string, unknown> = {}) {
  const claims = claimsFor(service.issuer, given)
  const text = await service.keys[0]?.sign(claims)
  return { token: text ?? '', claims, sid: String(claims.sid) }
}

const REVOKED = { valid: false, reason: 'session_revoked' }
const until = (verify: Verifier, text: string, expected: unknown) =>
  expect
    .poll(() => verify(text), { timeout: 10_000, interval: 5 })
    .toMatchObject(expected as object)

async function sessionOf(verify: Verifier, text: string): Promise<VerifiedSession> {
  const verification = await verify(text)
  if (!verification.valid) throw new Error(`it should be valid: ${verification.reason}`)
  return verification.session
}

describe('the feed', () => {
  it('that is cut, by a reset or in good order, is resumed where it ended', async () => {
    const verify = verifier({ onStale: 'refuse' })
    await verify.ready()
    const [first, second, third] = [await token(), await token(), await token()]
    service.send('session_revoked', sessionRevoked(first.sid, 7), 7)
    await until(verify, first.token, REVOKED)
    service.cut('reset')
    await service.until('stream', 2)
    await expect.poll(() => service.openStreams()).toBe(1)
    service.send('session_revoked', sessionRevoked(second.sid, 8), 8)
    await until(verify, second.token, REVOKED)
    service.cut('end')
    await service.until('stream', 3)
    expect(service.streamHeaders.map(headers => headers['last-event-id'])).toEqual([
      undefined,
      '7',
      '8',
    ])
    expect(await verify(third.token)).toMatchObject({ valid: true })
  })

  it('that comes in single bytes is read', async () => {
    const verify = verifier({ onStale: 'refuse' })
    await verify.ready()
    const { token: text, sid } = await token()
    const bytes = Buffer.from(
      `id: 3\r\nevent: session_revoked\r\ndata: ${JSON.stringify({ ...sessionRevoked(sid), name: '🔑' })}\r\n\r\n`,
    )
    for (const byte of bytes) {
      service.write(Uint8Array.of(byte))
      await new Promise(resolve => setImmediate(resolve))
    }
    await until(verify, text, REVOKED)
  })

  it.each([
    ['no JSON', 'id: 2\nevent: session_revoked\ndata: {\n\n'],
    ['no session', 'id: 2\nevent: session_revoked\ndata: {"session_id":null}\n\n'],
    [
      'no time',
      'id: 2\nevent: session_revoked\ndata: {"session_id":"ses_1","forget_after":"x"}\n\n',
    ],
    [
      'a bad id',
      `id: -1\nevent: session_revoked\ndata: ${JSON.stringify(sessionRevoked('s'))}\n\n`,
    ],
    ['a bulk revoke with no generation', 'event: sessions_revoked\ndata: {"generation":"1"}\n\n'],
    ['a change of no session', 'id: 2\nevent: session_changed\ndata: {}\n\n'],
    ['a snapshot that is none', 'event: snapshot\ndata: {"session_ids":{}}\n\n'],
    ['an endless line', 'x'.repeat(1024 * 1024)],
  ])('that sends garbage (%s) is not believed any further, and begun anew', async (_, garbage) => {
    const verify = verifier()
    await verify.ready()
    service.write(garbage)
    await service.until('stream', 2)
    await expect.poll(() => verify.status()).toMatchObject({ feed: 'streaming', isStale: false })
  })

  it('with events of a later version is read on', async () => {
    const verify = verifier({ onStale: 'refuse' })
    await verify.ready()
    const { token: text, sid } = await token()
    service.send('weather_changed', { sunny: true }, 5)
    service.send('session_revoked', sessionRevoked(sid, 6), 6)
    await until(verify, text, REVOKED)
    expect(service.counts.stream).toBe(1)
  })

  it('that says reset refuses what it refused until all is told anew, and then what was told', async () => {
    const verify = verifier({ onStale: 'refuse' })
    await verify.ready()
    const [old, snapshot, bulk] = [await token(), await token(), await token({ sub: 'usr_9' })]
    service.send('session_revoked', sessionRevoked(old.sid, 9), 9)
    await until(verify, old.token, REVOKED)
    service.send('reset', {})
    const ids = { forget_after: inSeconds(900), session_ids: [snapshot.sid] }
    service.send('snapshot', ids)
    await until(verify, snapshot.token, REVOKED)
    expect(await verify(old.token)).toEqual(REVOKED)
    service.send('sessions_revoked', sessionsRevoked({ user_id: 'usr_9' }, 3), 3)
    service.send('synced', { seq: 4 }, 4)
    await until(verify, old.token, { valid: true })
    for (const { token: text } of [snapshot, bulk]) expect(await verify(text)).toEqual(REVOKED)
    service.cut()
    await service.until('stream', 2)
    expect(service.streamHeaders[1]?.['last-event-id']).toBe('4')
  })

  it('that never says that it told all leaves the verifier asking, and then polling', async () => {
    service.handlers.stream = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      event(response, 'heartbeat', { seq: 1, at: inSeconds(0) })
    }
    const { token: text, sid } = await token()
    service.handlers.poll = (_, response) =>
      json(response, 200, { data: [sessionRevoked(sid, 4)], has_more: false, next_after: 4 })
    const verify = verifier({ timeoutMs: 300 })
    expect(await verify(text)).toMatchObject({ valid: true })
    expect(service.counts.verify).toBe(1)
    await verify.ready()
    expect(verify.status()).toMatchObject({ feed: 'polling', isStale: false })
    expect(await verify(text)).toEqual(REVOKED)
    expect(service.counts.verify).toBe(1)
  })

  it('that only fails is polled page by page, from a reset too', async () => {
    service.handlers.stream = (_, response) => json(response, 500, {})
    const [first, second] = [await token(), await token()]
    const asked: string[] = []
    service.handlers.poll = (request, response) => {
      asked.push(request.url ?? '')
      const isFirst = !request.url?.includes('after=1&')
      const data = [sessionRevoked(isFirst ? first.sid : second.sid, isFirst ? 1 : 2)]
      json(response, 200, { data, has_more: isFirst, next_after: isFirst ? 1 : 2, reset: isFirst })
    }
    const verify = verifier({ onStale: 'refuse' })
    await verify.ready()
    for (const { token: text } of [first, second]) expect(await verify(text)).toEqual(REVOKED)
    expect(asked.slice(0, 2)).toEqual([
      '/v1/revocations?limit=1000',
      '/v1/revocations?after=1&limit=1000',
    ])
  })

  it('whose pages lead in a circle is given up', async () => {
    service.handlers.stream = (_, response) => json(response, 503, {})
    service.handlers.poll = (_, response) =>
      json(response, 200, { data: [], has_more: true, next_after: 0 })
    const verify = verifier({ onStale: 'refuse', timeoutMs: 500 })
    await expect(verify.ready()).rejects.toMatchObject({ code: 'verify_unavailable' })
    expect(service.counts.poll).toBeLessThan(5)
  })

  it.each([
    [302, { location: 'http://127.0.0.1:9/' }],
    [200, { 'content-type': 'text/html' }],
    [204, {}],
  ])('that answers %i to a stream is none', async (status, headers) => {
    service.handlers.stream = (_, response) => response.writeHead(status, headers).end()
    const verify = verifier()
    await service.until('stream', 2)
    expect(verify.status()).toMatchObject({ isStale: true, feed: 'connecting' })
    expect(verify.status().lastError).toMatch(/^the feed answered/)
  })

  it('of a suspended tenant ends every session, until it is back', async () => {
    const verify = verifier({ onStale: 'accept' })
    await verify.ready()
    const { token: text } = await token()
    const session = await sessionOf(verify, text)
    const told = new Promise<void>(resolve => verify.onRevoked(session, resolve))
    const { stream } = service.handlers
    service.handlers.stream = (_, response) => json(response, 403, { code: 'tenant_suspended' })
    service.cut()
    await until(verify, text, REVOKED)
    await told
    service.handlers.stream = stream
    await until(verify, text, { valid: true })
  })
})

describe('a process that was stopped', () => {
  it('takes nothing that waited in its socket for fresh: it asks until a new connection has told all', async () => {
    const verify = verifier({ maxStaleness: 8_000 })
    await verify.ready()
    const { token: text, sid } = await token()
    expect(await verify(text)).toMatchObject({ valid: true })
    expect(service.counts.verify).toBe(0)
    // The new stream waits: what comes by the old one must not count.
    let answerStream = (): void => {}
    const { stream } = service.handlers
    service.handlers.stream = (request, response) => {
      answerStream = () => stream(request, response)
    }
    service.revoked.add(sid)
    // Longer than may be, and too short for the connection to be taken for dead.
    skippedMs += 10_000
    expect(await verify(text)).toEqual(REVOKED)
    const beat = () => {
      service.send('heartbeat', { seq: 1, at: inSeconds(0) })
      return service.counts.stream
    }
    await expect.poll(beat, { timeout: 8_000 }).toBe(2)
    expect(verify.status()).toMatchObject({ isStale: true })
    expect(await verify(text)).toEqual(REVOKED)
    service.revoked.delete(sid)
    answerStream()
    await expect.poll(() => verify.status().isStale).toBe(false)
    expect(await verify(text)).toMatchObject({ valid: true })
  })
})

describe('when nothing fresh is known', () => {
  const silence = async (options: Partial<VerifierOptions>) => {
    const verify = verifier({ maxStaleness: 50, ...options })
    await verify.ready()
    await expect.poll(() => verify.status().isStale).toBe(true)
    return verify
  }

  it('asks, once for all who ask about a token at once', async () => {
    const verify = await silence({})
    const { token: text, sid } = await token()
    service.revoked.add(sid)
    const verdicts = await Promise.all(Array.from({ length: 50 }, () => verify(text)))
    expect(new Set(verdicts.map(each => JSON.stringify(each)))).toEqual(
      new Set([JSON.stringify(REVOKED)]),
    )
    expect(service.counts.verify).toBe(1)
  })

  it('refuses, or accepts what it does not know to be revoked', async () => {
    const refusing = await silence({ onStale: 'refuse' })
    const accepting = await silence({ onStale: 'accept' })
    const [good, bad] = [await token(), await token()]
    service.send('session_revoked', sessionRevoked(bad.sid), 1)
    await until(accepting, bad.token, REVOKED)
    await expect.poll(() => refusing.status().isStale).toBe(true)
    expect(await refusing(good.token)).toEqual({ valid: false, reason: 'revocations_stale' })
    expect(await accepting(good.token)).toMatchObject({ valid: true })
    expect(service.counts.verify).toBe(0)
  })

  it('asks nothing about a token that is bad by itself', async () => {
    const verify = await silence({})
    const { token: expired } = await token({ exp: 1 })
    expect(await verify(expired)).toEqual({ valid: false, reason: 'expired' })
    expect(await verify('a.b.c')).toEqual({ valid: false, reason: 'malformed' })
    expect(service.counts.verify).toBe(0)
  })

  it.each([
    ['an error', 500, {}],
    ['another status', 302, {}],
    ['nonsense', 200, { valid: 'yes' }],
    ['a reason that is none', 200, { valid: false, reason: 'because' }],
    ['half a session', 200, { valid: true, session_id: 'ses_1' }],
  ])('says neither yes nor no where the answer is %s', async (_, status, body) => {
    const verify = await silence({})
    service.handlers.verify = (_, response) => json(response, status, body)
    const { token: text } = await token()
    await expect(verify(text)).rejects.toMatchObject({
      name: 'VerifierUnavailableError',
      code: 'verify_unavailable',
      status: 503,
    })
  })

  it('does not take an answer about somebody else', async () => {
    const verify = await silence({})
    const { verify: answer } = service.handlers
    const other = await token({ sub: 'usr_admin' })
    service.handlers.verify = async (_, response) =>
      answer(
        Object.assign([Buffer.from(JSON.stringify({ token: other.token }))]) as never,
        response,
      )
    const { token: text } = await token()
    await expect(verify(text)).rejects.toThrow('another session')
  })

  it('waits for a slow answer no longer than its time-out, and not for one that drips', async () => {
    const verify = await silence({ timeoutMs: 200 })
    const { token: text } = await token()
    for (const handler of [
      () => {},
      (_: unknown, response: import('node:http').ServerResponse) => {
        response.writeHead(200)
        const drip = setInterval(() => response.write(' '), 20)
        response.on('close', () => clearInterval(drip))
      },
    ]) {
      service.handlers.verify = handler
      await expect(verify(text)).rejects.toThrow('longer than 200 ms')
    }
  })

  it('a caller may stop waiting, and the others get their answer', async () => {
    const verify = await silence({})
    let respond = (): void => {}
    const { verify: answer } = service.handlers
    service.handlers.verify = (request, response) => {
      respond = () => answer(request, response)
    }
    const { token: text } = await token()
    const abort = new AbortController()
    const [stopped, patient] = [verify(text, { signal: abort.signal }), verify(text)]
    await service.until('verify', 1)
    abort.abort(new Error('the client went away'))
    await expect(stopped).rejects.toThrow('the client went away')
    respond()
    expect(await patient).toMatchObject({ valid: true })
  })
})

describe('keys', () => {
  it('that changed and cannot be fetched are not believed', async () => {
    const verify = verifier({ onStale: 'refuse' })
    await verify.ready()
    const { token: text } = await token()
    expect(await verify(text)).toMatchObject({ valid: true })
    const { jwks } = service.handlers
    service.handlers.jwks = (_, response) => json(response, 500, {})
    service.send('signing_keys_changed', {}, 2)
    await until(verify, text, { valid: false, reason: 'revocations_stale' })
    service.handlers.jwks = jwks
    service.keys.splice(0, 1, await createTestKey())
    await until(verify, text, { valid: false, reason: 'signature_invalid' })
  })

  it('that were never there: the API is asked, or neither yes nor no is said', async () => {
    service.handlers.jwks = (_, response) => json(response, 500, {})
    const { token: text } = await token()
    expect(await verifier()(text)).toMatchObject({ valid: true })
    const { revocations: _, ...without } = { revocations: null }
    const alone = createLocalVerifier(readSettings({ issuer: service.issuer, ...without }), runtime)
    await expect(alone(text)).rejects.toMatchObject({ code: 'jwks_unavailable', status: 503 })
    expect(await alone('a.b.c')).toEqual({ valid: false, reason: 'malformed' })
    alone.close()
  })

  it('that are new are found by the first token that needs one', async () => {
    const verify = verifier()
    await verify.ready()
    service.keys.unshift(await createTestKey())
    const { token: text } = await token()
    expect(await verify(text)).toMatchObject({ valid: true })
    expect(service.counts.jwks).toBe(2)
  })

  it('a flood of forged names makes one request, and a slow one holds nobody for long', async () => {
    const verify = verifier({ timeoutMs: 300 })
    await verify.ready()
    service.handlers.jwks = () => {}
    const stranger = await createTestKey()
    const forged = await stranger.sign(claimsFor(service.issuer))
    const begunAtMs = performance.now()
    const verdicts = await Promise.all(Array.from({ length: 10_000 }, () => verify(forged)))
    expect(verdicts.every(({ valid }) => !valid)).toBe(true)
    expect(performance.now() - begunAtMs).toBeLessThan(10_000)
    expect(service.counts.jwks).toBeLessThanOrEqual(2)
  })
})

describe('close', () => {
  it('ends what is open, what waits, and what comes', async () => {
    const verify = verifier({ maxStaleness: 0 })
    await verify.ready().catch(() => {})
    service.handlers.verify = () => {}
    const { token: text } = await token()
    const waiting = verify(text)
    await service.until('verify', 1)
    verify.close()
    await expect(waiting).rejects.toMatchObject({ code: 'verify_unavailable' })
    await expect(verify(text)).rejects.toMatchObject({ code: 'verify_unavailable' })
    await expect(verify.ready()).rejects.toThrow('closed')
    await expect.poll(() => service.openStreams()).toBe(0)
    expect(verify.status()).toMatchObject({ feed: 'closed' })
  })
})
