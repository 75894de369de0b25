import { type BulkMarks, createBulkMarks, type SessionSubject } from './bulk-marks.ts'
import type { BulkRevoke } from './feed-event.ts'
import { createSessionTable } from './session-table.ts'

/** Every revocation that a living token can meet. */
export interface DenySet {
  addSession(sessionId: string, forgetAfterMs: number): void
  addBulk(revoke: BulkRevoke): void
  isRevoked(subject: SessionSubject): boolean
  /** Drops what no living token can need, a part at a time: call it again and again. */
  forget(nowMs: number): void
  readonly entries: number
  readonly bytes: number
}

/** A little memory costs nothing; an entry that was dropped too early costs the promise. */
const MARGIN_SECONDS = 5
const BYTES_PER_OTHER_ID = 120

export function createDenySet(): DenySet {
  const table = createSessionTable()
  const bulks: BulkMarks = createBulkMarks()
  // Ids that are no ULIDs. Sesame makes none; whoever feeds one must still be heard.
  const others = new Map<string, number>()

  const hasSession = (sessionId: string): boolean => {
    const low = readBits(sessionId, LOW_AT, LOW_CHARS)
    const high = readBits(sessionId, HIGH_AT, HIGH_CHARS)
    return isUlid(sessionId, low, high) ? table.has(high, low) : others.has(sessionId)
  }

  return {
    addSession(sessionId, forgetAfterMs) {
      const forgetAtSeconds = toForgetAtSeconds(forgetAfterMs)
      const low = readBits(sessionId, LOW_AT, LOW_CHARS)
      const high = readBits(sessionId, HIGH_AT, HIGH_CHARS)
      if (isUlid(sessionId, low, high)) table.add(high, low, forgetAtSeconds)
      else others.set(sessionId, Math.max(forgetAtSeconds, others.get(sessionId) ?? 0))
    },
    addBulk: revoke => bulks.add(revoke),
    isRevoked: subject => hasSession(subject.sessionId) || bulks.covers(subject),
    forget(nowMs) {
      const nowSeconds = Math.floor(nowMs / 1000)
      table.forgetSome(nowSeconds)
      bulks.forget(nowMs - MARGIN_SECONDS * 1000)
      for (const [id, forgetAtSeconds] of others)
        if (forgetAtSeconds <= nowSeconds) others.delete(id)
    },
    get entries() {
      return table.size + bulks.size + others.size
    },
    get bytes() {
      return table.bytes + bulks.bytes + others.size * BYTES_PER_OTHER_ID
    },
  }
}

const toForgetAtSeconds = (forgetAfterMs: number): number =>
  Math.min(0xffff_ffff, Math.max(1, Math.ceil(forgetAfterMs / 1000) + MARGIN_SECONDS))

/** `ses_`, ten characters of time, sixteen of chance: five bits each. */
const ID_LENGTH = 30
const HIGH_AT = 4
const HIGH_CHARS = 19
const LOW_AT = HIGH_AT + HIGH_CHARS
const LOW_CHARS = 7

const isUlid = (sessionId: string, low: number, high: number): boolean =>
  low >= 0 && high >= 0 && sessionId.length === ID_LENGTH && sessionId.startsWith('ses_')

/** Thirty-two bits: five a character, those that overflow folded in; -1 for a wrong character. */
function readBits(text: string, from: number, chars: number): number {
  let bits = 0
  for (let at = from; at < from + chars; at++) {
    const value = VALUES[text.charCodeAt(at)] ?? -1
    if (value < 0) return -1
    bits = (Math.imul(bits, 32) + value) ^ (bits >>> 27)
  }
  return bits >>> 0
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const VALUES = new Int8Array(128).fill(-1)
for (let value = 0; value < CROCKFORD.length; value++) VALUES[CROCKFORD.charCodeAt(value)] = value
