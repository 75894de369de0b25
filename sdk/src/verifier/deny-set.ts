import { type BulkMarks, createBulkMarks, type SessionSubject } from './bulk-marks.ts'
import type { BulkRevoke } from './feed-event.ts'
import { createSessionSet } from './session-set.ts'

/** Every revocation that a living token can meet, and the sessions that are no longer what it says. */
export interface DenySet {
  addSession(sessionId: string, forgetAfterMs: number): void
  addBulk(revoke: BulkRevoke): void
  /** The session has another role or organisation than its tokens say that expire by then. */
  addChange(sessionId: string, forgetAfterMs: number): void
  isRevoked(subject: SessionSubject): boolean
  /** Revoked by its own name: so it stays, whatever role and organisation it has. */
  isSessionRevoked(sessionId: string): boolean
  /**
   * Whether a token of the session may be older than a change. Each that is has expired by
   * `forget_after`, so one that lives longer was issued later, whatever the clocks say.
   */
  isChanged(sessionId: string, expiresAtSeconds: number): boolean
  /** Drops what no living token can need, a part at a time: call it again and again. */
  forget(nowMs: number): void
  readonly entries: number
  readonly bytes: number
}

/** A little memory costs nothing; an entry that was dropped too early costs the promise. */
const MARGIN_SECONDS = 5
/** A token lives for a second at least, even if its session ends sooner. */
const SHORTEST_LIFE_SECONDS = 1

export function createDenySet(): DenySet {
  const revoked = createSessionSet()
  const changed = createSessionSet()
  const bulks: BulkMarks = createBulkMarks()

  const isSessionRevoked = (sessionId: string): boolean => revoked.forgetAtSeconds(sessionId) !== 0

  return {
    addSession: (sessionId, forgetAfterMs) =>
      revoked.add(sessionId, toForgetAtSeconds(forgetAfterMs)),
    addBulk: revoke => bulks.add(revoke),
    addChange: (sessionId, forgetAfterMs) =>
      changed.add(sessionId, toForgetAtSeconds(forgetAfterMs)),
    isRevoked: subject => isSessionRevoked(subject.sessionId) || bulks.covers(subject),
    isSessionRevoked,
    isChanged(sessionId, expiresAtSeconds) {
      const forgetAfterSeconds = changed.forgetAtSeconds(sessionId) - MARGIN_SECONDS
      return expiresAtSeconds <= forgetAfterSeconds + SHORTEST_LIFE_SECONDS
    },
    forget(nowMs) {
      const nowSeconds = Math.floor(nowMs / 1000)
      revoked.forget(nowSeconds)
      changed.forget(nowSeconds)
      bulks.forget(nowMs - MARGIN_SECONDS * 1000)
    },
    get entries() {
      return revoked.size + changed.size + bulks.size
    },
    get bytes() {
      return revoked.bytes + changed.bytes + bulks.bytes
    },
  }
}

const toForgetAtSeconds = (forgetAfterMs: number): number =>
  Math.min(0xffff_ffff, Math.max(1, Math.ceil(forgetAfterMs / 1000) + MARGIN_SECONDS))
