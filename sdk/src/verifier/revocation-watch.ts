import { VerifierUnavailableError } from '../errors.ts'
import type { AccessTokenClaims } from './access-token.ts'
import type { SessionSubject } from './bulk-marks.ts'
import { createChangedSessions } from './changed-sessions.ts'
import type { Exchange } from './exchange.ts'
import type { JwksCache } from './jwks-cache.ts'
import { createKnowledge } from './knowledge.ts'
import { createRevocationFeed, type RevocationFeed } from './revocation-feed.ts'
import { createRevocationListeners, type WatchedSession } from './revocation-listeners.ts'
import type { VerifierRuntime } from './runtime.ts'
import { createSessionCalls } from './session-calls.ts'
import type { VerifierSettings } from './settings.ts'
import type { Verification, VerifiedSession } from './verification.ts'
import { subjectOfSession, toSubject } from './verified-session.ts'
import type { VerifiedTokens } from './verified-tokens.ts'

/** All that a verifier with a secret key knows, can ask, and tells. */
export interface RevocationWatch
  extends Pick<RevocationFeed, 'start' | 'state' | 'lastError' | 'refusal' | 'settled' | 'close'> {
  nowMs(): number
  /** For certain. */
  isRevoked(claims: AccessTokenClaims): boolean
  /** If role and organisation are still what the token says. */
  isRevokedAsTold(claims: AccessTokenClaims): boolean
  /** Whether role and organisation may be others by now. */
  isChanged(claims: AccessTokenClaims): boolean
  /** Whether something may have been revoked that this process was not told. */
  isStale(): boolean
  /**
   * Asks the API.
   *
   * @param claims what the token says; null where that could not be checked.
   * @throws VerifierUnavailableError
   */
  ask(token: string, claims: AccessTokenClaims | null): Promise<Verification>
  /**
   * What the API says, or has said and still holds, of a token whose session has changed.
   *
   * @throws VerifierUnavailableError
   */
  askOfChanged(token: string, claims: AccessTokenClaims): Verification | Promise<Verification>
  /** What it has said and still holds; null for nothing. */
  knownOfChanged(token: string, claims: AccessTokenClaims): Verification | null
  freshAsOf(): Date | null
  entries(): number
  bytes(): number
  onRevoked(session: VerifiedSession | string, callback: () => void): () => void
}

export interface RevocationWatchDeps {
  exchange: Exchange
  runtime: VerifierRuntime
  elapsedMs: () => number
  jwks: JwksCache
  verifiedTokens: Pick<VerifiedTokens, 'findBySession'>
}

/** How long keys that changed may be fetched before they count as not known. */
const KEYS_GRACE_MS = 250
/** Buffered heartbeats of a shorter pause are younger than any staleness that anybody allows. */
const LONGEST_PAUSE_MS = 5_000
const SHORTEST_PAUSE_MS = 1_000

export function createRevocationWatch(
  settings: VerifierSettings & { secretKey: string },
  deps: RevocationWatchDeps,
): RevocationWatch {
  const { exchange, runtime, elapsedMs, jwks } = deps
  const { maxStalenessMs } = settings
  const calls = createSessionCalls({
    ...settings,
    exchange,
    onTenantRefused: () => knowledge.refuseTenant(),
  })
  const knowledge = createKnowledge({
    runtime,
    elapsedMs,
    onEvent(event) {
      changed.notify(event)
      listeners.notify(event)
    },
    onTenantRefused: () => listeners.notifyAll(),
    onGap: () => listeners.recheck(knowledge.clock.nowMs()),
  })
  const isDenied = (subject: SessionSubject): boolean =>
    knowledge.isTenantRefused || knowledge.denySet.isRevoked(subject)
  const isChanged = (claims: AccessTokenClaims): boolean =>
    knowledge.denySet.isChanged(claims.sid, claims.exp)

  const mayHaveMoved = ({ sessionId, expiresAtMs }: WatchedSession): boolean =>
    expiresAtMs === null ||
    expiresAtMs <= knowledge.clock.nowMs() ||
    knowledge.denySet.isChanged(sessionId, expiresAtMs / 1000)

  const believe = (answer: Verification, claims: AccessTokenClaims | null): Verification => {
    if (!answer.valid) return answer
    const { session } = answer
    if (claims !== null && !isOfToken(session, claims)) throw foreignAnswer()
    const isOfToday = claims === null || isChanged(claims)
    // What became known while the answer came stays so.
    if (isDenied(isOfToday ? subjectOfAnswer(session) : toSubject(claims)))
      return { valid: false, reason: 'session_revoked' }
    return answer
  }

  const changed = createChangedSessions({
    ask: async (token, claims) => believe(await calls.verifyAnew(token), claims),
    isTenantRefused: () => knowledge.isTenantRefused,
  })
  const listeners = createRevocationListeners({
    runtime,
    isRevoked: isDenied,
    mayHaveMoved,
    isActive: calls.isActive,
  })
  const feed = createRevocationFeed({
    ...settings,
    exchange,
    runtime,
    elapsedMs,
    knowledge,
    maxPauseMs: Math.max(SHORTEST_PAUSE_MS, Math.min(LONGEST_PAUSE_MS, maxStalenessMs / 2)),
    onSigningKeysChanged: jwks.noteChanged,
  })

  const isFeedStale = (): boolean => {
    // Told to go away, as when the key or the tenant is no more: there is nothing to wait for.
    if (feed.refusal() !== null) return true
    const { freshAsOfMs } = knowledge
    return freshAsOfMs === null || elapsedMs() - freshAsOfMs > maxStalenessMs
  }

  const areKeysStale = (): boolean => {
    const sinceMs = jwks.outdatedSinceMs()
    return sinceMs !== null && elapsedMs() - sinceMs > KEYS_GRACE_MS
  }

  /** Of a session object, or of an id by the last token that was seen of it. */
  const whoIs = (session: VerifiedSession | string): WatchedSession => {
    const sessionId = typeof session === 'string' ? session : session.sessionId
    const seen = deps.verifiedTokens.findBySession(sessionId)
    if (seen !== null)
      return { sessionId, subject: toSubject(seen.claims), expiresAtMs: seen.claims.exp * 1000 }
    return typeof session === 'string'
      ? { sessionId, subject: null, expiresAtMs: null }
      : {
          sessionId,
          subject: subjectOfSession(session),
          expiresAtMs: Date.parse(session.expiresAt),
        }
  }

  return {
    start: feed.start,
    state: feed.state,
    lastError: feed.lastError,
    refusal: feed.refusal,
    settled: feed.settled,
    nowMs: knowledge.clock.nowMs,
    isRevoked: claims =>
      isDenied(toSubject(claims)) &&
      (!isChanged(claims) ||
        knowledge.isTenantRefused ||
        knowledge.denySet.isSessionRevoked(claims.sid)),
    isRevokedAsTold: claims => isDenied(toSubject(claims)),
    isChanged,
    isStale: () => isFeedStale() || areKeysStale(),
    ask: async (token, claims) => believe(await calls.verify(token), claims),
    askOfChanged: changed.ask,
    knownOfChanged: (token, claims) => changed.known(token, claims.sid),
    freshAsOf() {
      const { freshAsOfMs } = knowledge
      return freshAsOfMs === null ? null : new Date(runtime.nowMs() - (elapsedMs() - freshAsOfMs))
    },
    entries: () => knowledge.denySet.entries,
    bytes: () => knowledge.denySet.bytes,
    onRevoked: (session, callback) => listeners.add(whoIs(session), callback),
    close() {
      feed.close()
      listeners.close()
    },
  }
}

/** An answer about somebody else is no answer. */
const isOfToken = (session: VerifiedSession, claims: AccessTokenClaims): boolean =>
  session.sessionId === claims.sid &&
  session.userId === claims.sub &&
  session.tenantId === claims.tenant_id

/** The API has looked at bulk revokes itself. */
const subjectOfAnswer = (session: VerifiedSession): SessionSubject => ({
  ...subjectOfSession(session),
  generation: Number.POSITIVE_INFINITY,
})

const foreignAnswer = (): VerifierUnavailableError =>
  new VerifierUnavailableError('The service answered about another session than was asked for.', {
    code: 'verify_unavailable',
  })
