import { createSessionTable } from './session-table.ts'

/** Session ids, each until the second in which it may be forgotten. */
export interface SessionSet {
  /** An id that comes twice is kept until the later of its times. */
  add(sessionId: string, forgetAtSeconds: number): void
  /** Zero for an id that is not in the set. */
  forgetAtSeconds(sessionId: string): number
  /** Drops what may be forgotten, a part at a time: call it again and again. */
  forget(nowSeconds: number): void
  readonly size: number
  readonly bytes: number
}

const BYTES_PER_OTHER_ID = 120

export function createSessionSet(): SessionSet {
  const table = createSessionTable()
  // Ids that are no ULIDs. Sesame makes none; whoever feeds one must still be heard.
  const others = new Map<string, number>()
  return {
    add(sessionId, forgetAtSeconds) {
      const low = readBits(sessionId, LOW_AT, LOW_CHARS)
      const high = readBits(sessionId, HIGH_AT, HIGH_CHARS)
      if (isUlid(sessionId, low, high)) table.add(high, low, forgetAtSeconds)
      else others.set(sessionId, Math.max(forgetAtSeconds, others.get(sessionId) ?? 0))
    },
    forgetAtSeconds(sessionId) {
      if (table.size === 0 && others.size === 0) return 0
      const low = readBits(sessionId, LOW_AT, LOW_CHARS)
      const high = readBits(sessionId, HIGH_AT, HIGH_CHARS)
      return isUlid(sessionId, low, high)
        ? table.forgetAtSeconds(high, low)
        : (others.get(sessionId) ?? 0)
    },
    forget(nowSeconds) {
      table.forgetSome(nowSeconds)
      for (const [id, forgetAtSeconds] of others)
        if (forgetAtSeconds <= nowSeconds) others.delete(id)
    },
    get size() {
      return table.size + others.size
    },
    get bytes() {
      return table.bytes + others.size * BYTES_PER_OTHER_ID
    },
  }
}

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
