import type { AccessTokenClaims } from './access-token.ts'
import { mayMean, type SessionSubject } from './bulk-marks.ts'
import type { FeedEvent } from './feed-event.ts'
import type { Verification } from './verification.ts'
import { toSubject } from './verified-session.ts'

/**
 * What the API says of tokens that are older than a change of their session. An answer holds until the
 * feed tells something that may make it another: a further change of the session, or a bulk revoke
 * that may mean it. Then it is dropped, also while it is on its way, so that nobody who comes later
 * is given it.
 */
export interface ChangedSessions {
  /** Asks once for all who ask about a token, until the answer no longer holds. */
  ask(token: string, claims: AccessTokenClaims): Verification | Promise<Verification>
  /** The answer that holds; null where none came. */
  known(token: string, sessionId: string): Verification | null
  /** To be told of each event of the feed. */
  notify(event: FeedEvent): void
}

export interface ChangedSessionsDeps {
  /** One question of its own, not one that began before. */
  ask(token: string, claims: AccessTokenClaims): Promise<Verification>
  /** Then every session counts as revoked, and comes back with the tenant. */
  isTenantRefused(): boolean
}

/** What has ended stays ended. Other reasons are the token's own, or pass. */
const FINAL: ReadonlySet<string> = new Set([
  'session_revoked',
  'session_expired',
  'session_not_found',
])

interface ChangedSession {
  subject: SessionSubject
  answers: Map<string, Answer>
}

interface Answer {
  pending: Promise<Verification>
  verification: Verification | null
}

/** Some 10 MB. Beyond it those that came first are asked about anew. */
const MAX_SESSIONS = 4_096
const MAX_TOKENS_PER_SESSION = 4

export function createChangedSessions(deps: ChangedSessionsDeps): ChangedSessions {
  const sessions = new Map<string, ChangedSession>()

  const sessionOf = (claims: AccessTokenClaims): ChangedSession => {
    const known = sessions.get(claims.sid)
    if (known !== undefined) return known
    const [first] = sessions.keys()
    if (first !== undefined && sessions.size >= MAX_SESSIONS) sessions.delete(first)
    const made = { subject: toSubject(claims), answers: new Map<string, Answer>() }
    sessions.set(claims.sid, made)
    return made
  }

  const isLasting = (verification: Verification): boolean =>
    verification.valid || (FINAL.has(verification.reason) && !deps.isTenantRefused())

  return {
    ask(token, claims) {
      const { answers } = sessionOf(claims)
      const known = answers.get(token)
      if (known !== undefined) return known.verification ?? known.pending
      if (answers.size >= MAX_TOKENS_PER_SESSION) answers.clear()
      const answer: Answer = { pending: deps.ask(token, claims), verification: null }
      answers.set(token, answer)
      const forget = (): void => {
        if (answers.get(token) === answer) answers.delete(token)
      }
      answer.pending.then(verification => {
        if (isLasting(verification)) answer.verification = freeze(verification)
        else forget()
      }, forget)
      return answer.pending
    },
    known: (token, sessionId) => sessions.get(sessionId)?.answers.get(token)?.verification ?? null,
    notify(event) {
      if (sessions.size === 0) return
      if (event.type === 'session_changed' || event.type === 'session_revoked')
        sessions.delete(event.sessionId)
      else if (event.type === 'sessions_revoked') {
        for (const [sessionId, { subject }] of sessions)
          if (mayMean(event.revoke, subject)) sessions.delete(sessionId)
      } else if (event.type === 'tenant_changed' || event.type === 'reset') sessions.clear()
    },
  }
}

/** Since the next verify of the same token gives the same object. */
function freeze(verification: Verification): Verification {
  if (!verification.valid) return verification
  Object.freeze(verification.session.amr)
  Object.freeze(verification.session)
  return verification
}
