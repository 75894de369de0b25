import type { AccessTokenClaims } from './access-token.ts'
import type { SigningKey } from './signing-key.ts'
import type { VerifiedSession } from './verification.ts'

/** A token whose signature and fixed claims were found good. */
export interface VerifiedToken {
  claims: AccessTokenClaims
  /** It counts as long as this key is in the set. */
  key: SigningKey
  session: VerifiedSession
}

/**
 * The memory of signatures that were checked. It saves that check for a token that was seen before
 * and nothing else: keys, times and revocations are looked at every time.
 */
export interface VerifiedTokens {
  find(token: string): VerifiedToken | null
  /** The newest that was seen of a session. */
  findBySession(sessionId: string): VerifiedToken | null
  insert(token: string, verified: VerifiedToken): void
}

/** Of each of two generations: some 30 MB in all, of the tokens that most tenants have. */
const MAX_ENTRIES = 8_192
/** Most tokens have 700 characters. Longer ones are checked each time, to bound the memory. */
const MAX_CACHED_LENGTH = 2_048

/** @param bySession whether sessions will be asked for. */
export function createVerifiedTokens({
  bySession: hasSessions,
}: {
  bySession: boolean
}): VerifiedTokens {
  const byToken = createTwoGenerations<VerifiedToken>()
  const bySession = createTwoGenerations<VerifiedToken>()
  return {
    find: byToken.find,
    findBySession: bySession.find,
    insert(token, verified) {
      if (token.length > MAX_CACHED_LENGTH) return
      byToken.insert(token, verified)
      if (hasSessions) bySession.insert(verified.claims.sid, verified)
    },
  }
}

/** What is used moves to the young map; when that is full, the old one is dropped whole. */
function createTwoGenerations<V>() {
  let young = new Map<string, V>()
  let old = new Map<string, V>()
  const insert = (name: string, value: V): void => {
    if (young.size >= MAX_ENTRIES) {
      old = young
      young = new Map()
    }
    young.set(name, value)
  }
  return {
    insert,
    find(name: string): V | null {
      const value = young.get(name)
      if (value !== undefined) return value
      const older = old.get(name)
      if (older === undefined) return null
      insert(name, older)
      return older
    },
  }
}
