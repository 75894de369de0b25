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
import type { VerifiedSession } from './verification.ts'
import type { Verifier } from './verifier.ts'

let service: FeedService
let verify: Verifier
let skippedMs = 0

beforeEach(async () => {
  service = await startFeedService()
  skippedMs = 0
  const runtime = {
    ...systemRuntime,
    nowMs: () => Date.now() + skippedMs,
    monotonicMs: () => performance.now() + skippedMs,
    random: () => 0.01,
  }
  const revocations = { secretKey: SECRET_KEY }
  verify = createLocalVerifier(readSettings({ issuer: service.issuer, revocations }), runtime)
  await verify.ready()
})
afterEach(async () => {
  verify.close()
  await service.close()
})

async function verified(given: Record<string, unknown> = {}): Promise<VerifiedSession> {
  const text = await service.keys[0]?.sign(claimsFor(service.issuer, given))
  const verification = await verify(text ?? '')
  if (!verification.valid) throw new Error('it should be valid')
  return verification.session
}

/** How often it was called, and a promise of the first time. */
function listen(session: VerifiedSession | string) {
  const listener = { calls: 0, told: Promise.resolve(), stop: () => {} }
  listener.told = new Promise(resolve => {
    listener.stop = verify.onRevoked(session, () => {
      listener.calls++
      resolve()
    })
  })
  return listener
}

/** All that was sent before has been read when this has been. */
async function flushed(): Promise<void> {
  const session = newSessionId()
  const { told } = listen(session)
  service.send('session_revoked', sessionRevoked(session), 100)
  await told
}

describe('onRevoked', () => {
  it('tells each listener of a session once, and nobody else', async () => {
    const session = await verified()
    const [first, second, other] = [
      listen(session),
      listen(session.sessionId),
      listen(await verified()),
    ]
    service.send('session_revoked', sessionRevoked(session.sessionId), 1)
    service.send('session_revoked', sessionRevoked(session.sessionId), 1)
    await Promise.all([first.told, second.told])
    await flushed()
    expect([first.calls, second.calls, other.calls]).toEqual([1, 1, 0])
  })

  it('tells those whom a bulk revoke means, and not those it spares or who came later', async () => {
    const meant = [
      await verified({ sub: 'u', org_id: 'o' }),
      await verified({ sub: 'u', org_id: 'o' }),
    ]
    const spared = await verified({ sub: 'u', org_id: 'o' })
    const others = [
      spared,
      await verified({ sub: 'u', org_id: null }),
      await verified({ sub: 'v', org_id: 'o' }),
      await verified({ sub: 'u', org_id: 'o', gen: 4 }),
    ]
    const [told, untold] = [meant.map(listen), others.map(listen)]
    const filters = { user_id: 'u', org_id: 'o', except_session_id: spared.sessionId }
    service.send('sessions_revoked', sessionsRevoked(filters), 1)
    await Promise.all(told.map(listener => listener.told))
    await flushed()
    expect(untold.map(listener => listener.calls)).toEqual([0, 0, 0, 0])
    expect(service.counts.session).toBe(0)
  })

  it('tells at once, but not within the call, of a session that is revoked already', async () => {
    const session = await verified()
    service.send('session_revoked', sessionRevoked(session.sessionId), 1)
    await flushed()
    const listener = listen(session)
    expect(listener.calls).toBe(0)
    await listener.told
  })

  it('asks the API about an id of which nothing is known', async () => {
    const [active, revoked] = [newSessionId(), newSessionId()]
    service.revoked.add(revoked)
    const [untold, told] = [listen(active), listen(revoked)]
    await told.told
    await service.until('session', 2)
    expect(untold.calls).toBe(0)
    service.revoked.add(active)
    service.send('sessions_revoked', sessionsRevoked({ user_id: 'anybody' }), 1)
    await untold.told
  })

  it('closes rather than keeps open where the API cannot tell whom a bulk revoke means', async () => {
    service.handlers.session = (_, response) => json(response, 403, { code: 'scope_missing' })
    const listener = listen(newSessionId())
    service.send('sessions_revoked', sessionsRevoked({}), 1)
    await listener.told
  })

  it('tells of what was revoked, and forgotten, while this process slept', async () => {
    const [ended, alive] = [await verified(), await verified()]
    const [told, untold] = [listen(ended), listen(alive)]
    service.revoked.add(ended.sessionId)
    skippedMs += 86_400_000
    service.cut()
    await told.told
    await expect.poll(() => service.counts.session).toBeGreaterThanOrEqual(2)
    await flushed()
    expect(untold.calls).toBe(0)
  })

  it('tells what comes in a snapshot after a reset', async () => {
    const session = await verified()
    const listener = listen(session)
    service.send('reset', {})
    service.send('snapshot', { forget_after: inSeconds(900), session_ids: [session.sessionId] })
    await listener.told
  })

  it('tells nobody who stopped listening, and nobody after close', async () => {
    const [stopped, closed] = [listen(await verified()), listen(await verified())]
    stopped.stop()
    stopped.stop()
    service.send('sessions_revoked', sessionsRevoked({ user_id: 'nobody' }), 1)
    await flushed()
    verify.close()
    service.send('sessions_revoked', sessionsRevoked({}), 2)
    verify.onRevoked('ses_1', () => {})()
    expect([stopped.calls, closed.calls]).toEqual([0, 0])
  })

  it('lets no callback that throws or rejects harm another, or the process', async () => {
    const session = await verified()
    verify.onRevoked(session, () => {
      throw new Error('of the app')
    })
    verify.onRevoked(session, async () => {
      throw new Error('of the app')
    })
    const listener = listen(session)
    service.send('session_revoked', sessionRevoked(session.sessionId), 1)
    await listener.told
    await flushed()
  })
})
