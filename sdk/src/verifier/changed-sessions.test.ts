import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  claimsFor,
  type FeedService,
  inSeconds,
  json,
  newSessionId,
  SECRET_KEY,
  sessionRevoked,
  sessionsRevoked,
  startFeedService,
} from '../../test/feed-service.ts'
import { createLocalVerifier } from './local-verifier.ts'
import { systemRuntime } from './runtime.ts'
import { readSettings } from './settings.ts'
import type { Verifier, VerifierOptions } from './verifier.ts'

let service: FeedService
const open: Verifier[] = []
/** What the API says of every session. */
let today: { org_id: string | null; role: string | null }
let skippedMs = 0

beforeEach(async () => {
  service = await startFeedService()
  today = { org_id: 'org_new', role: 'member' }
  skippedMs = 0
  const answer = service.handlers.verify
  // Asked now, as the API would: what changes later is not in the answer.
  service.handlers.verify = (request, response) => {
    const then = { ...today }
    const end = response.end.bind(response)
    response.end = ((text: string) => {
      const body = JSON.parse(text)
      return end(JSON.stringify(body.valid ? { ...body, ...then } : body))
    }) as typeof response.end
    answer(request, response)
  }
})
afterEach(async () => {
  for (const verify of open.splice(0)) verify.close()
  await service.close()
})

async function verifier(options: Partial<VerifierOptions> = {}): Promise<Verifier> {
  const settings = { issuer: service.issuer, revocations: { secretKey: SECRET_KEY }, ...options }
  const runtime = {
    ...systemRuntime,
    nowMs: () => Date.now() + skippedMs,
    monotonicMs: () => performance.now() + skippedMs,
    random: () => 0.01,
  }
  const verify = createLocalVerifier(readSettings(settings), runtime)
  open.push(verify)
  await verify.ready()
  return verify
}

async function token(given: Record<string, unknown> = {}) {
  const claims = claimsFor(service.issuer, { org_id: 'org_old', role: 'admin', ...given })
  const text = await service.keys[0]?.sign(claims)
  return { token: text ?? '', sid: String(claims.sid), exp: claims.exp }
}

const change = (sessionId: string, forgetAfter = inSeconds(900)) => ({
  ...sessionRevoked(sessionId),
  type: 'session_changed',
  forget_after: forgetAfter,
})

/** All that was sent before has been read when this has been. */
async function flush(verify: Verifier): Promise<void> {
  const sid = newSessionId()
  const { token: text } = await token({ sid })
  service.send('session_revoked', sessionRevoked(sid), 100)
  await expect.poll(() => verify(text), { interval: 5 }).toMatchObject({ valid: false })
}

async function tell(verify: Verifier, type: string, data: unknown): Promise<void> {
  service.send(type, data, 1)
  await flush(verify)
}

const REVOKED = { valid: false, reason: 'session_revoked' }
const OF_TODAY = { valid: true, session: { orgId: 'org_new', role: 'member' } }
const OF_THE_TOKEN = { valid: true, session: { orgId: 'org_old', role: 'admin' } }

const isDown = (service: FeedService): void => {
  service.handlers.verify = (_, response) => json(response, 503, { code: 'service_unavailable' })
}

describe('a token that is older than a change of its session', () => {
  it('is good, with the role and organisation of today, for one question', async () => {
    const verify = await verifier()
    const [{ token: text, sid }, other] = [await token(), await token()]
    expect(await verify(text)).toMatchObject(OF_THE_TOKEN)
    await tell(verify, 'session_changed', change(sid))
    const verdicts = await Promise.all(Array.from({ length: 50 }, () => verify(text)))
    for (const verdict of [...verdicts, await verify(text)]) expect(verdict).toMatchObject(OF_TODAY)
    expect(await verify(other.token)).toMatchObject(OF_THE_TOKEN)
    expect(service.counts.verify).toBe(1)
  })

  it('hands out an answer that nobody can change for the next', async () => {
    const verify = await verifier()
    const { token: text, sid } = await token()
    await tell(verify, 'session_changed', change(sid))
    const verdict = await verify(text)
    if (!verdict.valid) throw new Error('it should be valid')
    expect(() => Object.assign(verdict.session, { role: 'owner' })).toThrow(TypeError)
    expect(() => verdict.session.amr.push('mfa')).toThrow(TypeError)
  })

  it('is asked about anew after a further change', async () => {
    const verify = await verifier()
    const { token: text, sid } = await token()
    await tell(verify, 'session_changed', change(sid))
    expect(await verify(text)).toMatchObject(OF_TODAY)
    today.role = 'owner'
    await tell(verify, 'session_changed', change(sid))
    expect(await verify(text)).toMatchObject({ valid: true, session: { role: 'owner' } })
  })

  it('gets no answer that was on its way when a further change became known', async () => {
    const verify = await verifier()
    const { token: text, sid } = await token()
    await tell(verify, 'session_changed', change(sid))
    const answer = service.handlers.verify
    const held: (() => void)[] = []
    service.handlers.verify = (request, response) => {
      const end = response.end.bind(response)
      response.end = ((bytes: string) => held.push(() => end(bytes))) as never
      answer(request, response)
    }
    const early = verify(text)
    await expect.poll(() => held.length).toBe(1)
    service.handlers.verify = answer
    today.role = 'owner'
    await tell(verify, 'session_changed', change(sid))
    expect(await verify(text)).toMatchObject({ valid: true, session: { role: 'owner' } })
    held[0]?.()
    expect(await early).toMatchObject(OF_TODAY)
    expect(await verify(text)).toMatchObject({ valid: true, session: { role: 'owner' } })
    expect(service.counts.verify).toBe(2)
  })

  it('is refused when the organisation that it moved into is revoked', async () => {
    const verify = await verifier()
    const { token: text, sid } = await token()
    await tell(verify, 'session_changed', change(sid))
    expect(await verify(text)).toMatchObject(OF_TODAY)
    service.revoked.add(sid)
    await tell(verify, 'sessions_revoked', sessionsRevoked({ org_id: 'org_new' }))
    for (let n = 0; n < 20; n++) expect(await verify(text)).toEqual(REVOKED)
    expect(service.counts.verify).toBe(2)
  })

  it('comes back with a tenant that was suspended', async () => {
    const verify = await verifier()
    const { token: text, sid } = await token()
    await tell(verify, 'session_changed', change(sid))
    const answer = service.handlers.verify
    service.handlers.verify = (_, response) => json(response, 403, { code: 'tenant_suspended' })
    expect(await verify(text)).toEqual(REVOKED)
    service.handlers.verify = answer
    service.send('heartbeat', { seq: 1, at: inSeconds(0) })
    await expect.poll(() => verify(text), { interval: 5 }).toMatchObject(OF_TODAY)
  })

  it('is asked about anew when the tenant has changed', async () => {
    const verify = await verifier()
    const { token: text, sid } = await token()
    await tell(verify, 'session_changed', change(sid))
    service.revoked.add(sid)
    expect(await verify(text)).toEqual(REVOKED)
    service.revoked.delete(sid)
    await tell(verify, 'tenant_changed', { type: 'tenant_changed' })
    expect(await verify(text)).toMatchObject(OF_TODAY)
  })

  it('is not refused when the organisation that it left is revoked, if the API says so', async () => {
    const verify = await verifier()
    const [{ token: text, sid }, stayed] = [await token(), await token()]
    await tell(verify, 'session_changed', change(sid))
    await tell(verify, 'sessions_revoked', sessionsRevoked({ org_id: 'org_old' }))
    expect(await verify(text)).toMatchObject(OF_TODAY)
    expect(await verify(stayed.token)).toEqual(REVOKED)
  })

  it('keeps its answer over bulk revokes that cannot mean it', async () => {
    const verify = await verifier()
    const { token: text, sid } = await token()
    await tell(verify, 'session_changed', change(sid))
    await verify(text)
    const filters = [
      { user_id: 'usr_2' },
      { app_id: 'app_1' },
      { except_session_id: sid },
      { generation: 3 },
    ]
    for (const filter of filters)
      await tell(verify, 'sessions_revoked', sessionsRevoked({ ...filter, org_id: 'org_new' }))
    expect(await verify(text)).toMatchObject(OF_TODAY)
    expect(service.counts.verify).toBe(1)
  })

  it('is refused without a question when the session itself is revoked', async () => {
    const verify = await verifier()
    const { token: text, sid } = await token()
    await tell(verify, 'session_changed', change(sid))
    await tell(verify, 'session_revoked', sessionRevoked(sid))
    expect(await verify(text)).toEqual(REVOKED)
    expect(service.counts.verify).toBe(0)
  })

  it('is known by its end: one that lives longer was issued later and needs no question', async () => {
    const verify = await verifier()
    const before = await token()
    const after = await token({ sid: before.sid, exp: before.exp + 2, org_id: 'org_newer' })
    await tell(
      verify,
      'session_changed',
      change(before.sid, new Date(before.exp * 1000).toISOString()),
    )
    expect(await verify(after.token)).toMatchObject({
      valid: true,
      session: { orgId: 'org_newer' },
    })
    expect(service.counts.verify).toBe(0)
    expect(await verify(before.token)).toMatchObject(OF_TODAY)
  })

  it('is known to who polls, too', async () => {
    const { token: text, sid } = await token()
    service.handlers.stream = (_, response) => json(response, 500, {})
    service.handlers.poll = (_, response) =>
      json(response, 200, { data: [change(sid)], has_more: false, next_after: 1, reset: false })
    const verify = await verifier()
    expect(verify.status()).toMatchObject({ feed: 'polling', entries: 1 })
    expect(await verify(text)).toMatchObject(OF_TODAY)
  })

  it('is asked about anew after a reset', async () => {
    const verify = await verifier()
    const { token: text, sid } = await token()
    await tell(verify, 'session_changed', change(sid))
    await verify(text)
    today.role = 'owner'
    service.send('reset', {})
    await flush(verify)
    expect(await verify(text)).toMatchObject({ valid: true, session: { role: 'owner' } })
  })
})

describe('where the API cannot be asked', () => {
  const changedToken = async (verify: Verifier) => {
    const made = await token()
    await tell(verify, 'session_changed', change(made.sid))
    return made
  }

  it("nothing is guessed with 'ask'", async () => {
    const verify = await verifier()
    const { token: text } = await changedToken(verify)
    isDown(service)
    await expect(verify(text)).rejects.toMatchObject({ code: 'verify_unavailable', status: 503 })
  })

  it("it is refused with 'refuse'", async () => {
    const verify = await verifier({ onStale: 'refuse' })
    const { token: text } = await changedToken(verify)
    expect(await verify(text)).toMatchObject(OF_TODAY)
    const other = await changedToken(verify)
    isDown(service)
    expect(await verify(other.token)).toEqual({ valid: false, reason: 'revocations_stale' })
  })

  it("the word of the token counts with 'accept', but for what is known to be revoked", async () => {
    const verify = await verifier({ onStale: 'accept' })
    const { token: text } = await changedToken(verify)
    isDown(service)
    expect(await verify(text)).toMatchObject(OF_THE_TOKEN)
    await tell(verify, 'sessions_revoked', sessionsRevoked({ org_id: 'org_old' }))
    expect(await verify(text)).toEqual(REVOKED)
  })

  it("an answer that came before counts with 'accept', while the feed is silent too", async () => {
    const verify = await verifier({ onStale: 'accept' })
    const { token: text } = await changedToken(verify)
    expect(await verify(text)).toMatchObject(OF_TODAY)
    isDown(service)
    service.handlers.stream = (_, response) => json(response, 503, { code: 'service_unavailable' })
    service.handlers.poll = service.handlers.stream
    service.cut()
    skippedMs += 20_000
    await expect.poll(() => verify.status().isStale).toBe(true)
    expect(await verify(text)).toMatchObject(OF_TODAY)
  })
})

describe('onRevoked of a session that changed', () => {
  it('asks the API when a bulk revoke may mean it, in whatever organisation it is', async () => {
    const verify = await verifier()
    const [moved, ended] = [await token(), await token()]
    let calls = 0
    const told = new Promise<void>(resolve => {
      void verify(ended.token).then(verdict => {
        if (verdict.valid) verify.onRevoked(verdict.session, resolve)
      })
    })
    const verdict = await verify(moved.token)
    if (!verdict.valid) throw new Error('it should be valid')
    verify.onRevoked(verdict.session, () => calls++)
    for (const { sid } of [moved, ended]) await tell(verify, 'session_changed', change(sid))
    await tell(verify, 'sessions_revoked', sessionsRevoked({ user_id: 'usr_2' }))
    expect(service.counts.session).toBe(0)
    service.revoked.add(ended.sid)
    await tell(verify, 'sessions_revoked', sessionsRevoked({ org_id: 'org_new' }))
    await told
    await service.until('session', 2)
    await flush(verify)
    expect(calls).toBe(0)
  })

  it('remembers the move for longer than the tokens that were older', async () => {
    const verify = await verifier()
    const { token: text, sid, exp } = await token({ exp: Math.floor(Date.now() / 1000) + 4 })
    const verdict = await verify(text)
    if (!verdict.valid) throw new Error('it should be valid')
    const told = new Promise<void>(resolve => verify.onRevoked(verdict.session, resolve))
    await tell(verify, 'session_changed', change(sid, new Date(exp * 1000).toISOString()))
    // In steps that are no pause of the process, after which it would ask in any case.
    for (let step = 0; step < 3; step++) {
      skippedMs += 4_000
      service.send('heartbeat', { seq: 1, at: inSeconds(skippedMs / 1000) })
      await flush(verify)
    }
    // What remains are the sessions of the flushes.
    await expect.poll(() => verify.status().entries, { timeout: 10_000 }).toBe(4)
    expect(service.counts).toMatchObject({ stream: 1, session: 0 })
    service.revoked.add(sid)
    await tell(verify, 'sessions_revoked', sessionsRevoked({ org_id: 'org_new' }))
    await told
  })

  it('asks at once where it has changed before, and fires for what is revoked', async () => {
    const verify = await verifier()
    const { token: text, sid } = await token()
    const verdict = await verify(text)
    if (!verdict.valid) throw new Error('it should be valid')
    await tell(verify, 'session_changed', change(sid))
    service.revoked.add(sid)
    await new Promise<void>(resolve => verify.onRevoked(verdict.session, resolve))
    expect(service.counts.session).toBe(1)
  })
})

it('a type that this version does not know is passed over, and the feed goes on', async () => {
  const verify = await verifier({ onStale: 'refuse' })
  const { token: text, sid } = await token()
  await tell(verify, 'session_frozen', { ...change(sid), type: 'session_frozen' })
  expect(await verify(text)).toMatchObject(OF_THE_TOKEN)
  expect(service.counts.stream).toBe(1)
})
