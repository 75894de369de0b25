import type { AccessTokenClaims } from './access-token.ts'

/**
 * Tokens whose signature and fixed claims were found good. It saves the signature check of a token
 * that was seen before and nothing else: times and revocations are checked every time.
 *
 * An entry counts only for the very keyring and audience that it was made with: another tenant's
 * keyring, or the same tenant's after any change of keys or settings, is another object.
 */
export interface VerifiedTokens {
  find(token: string, scope: object): AccessTokenClaims | null
  insert(token: string, scope: object, claims: AccessTokenClaims): void
}

interface Entry {
  scope: object
  claims: AccessTokenClaims
}

/** Most tokens have 700 characters. Longer ones are checked each time, to bound the memory. */
const MAX_CACHED_LENGTH = 2_048

/**
 * Two generations: what is used moves to the young one, and when that is full the old one is dropped
 * whole. Bounded and nearly least-recently-used, at the price of a map look-up.
 *
 * @param maxEntries of each generation.
 */
export function createVerifiedTokens(maxEntries: number): VerifiedTokens {
  let young = new Map<string, Entry>()
  let old = new Map<string, Entry>()
  const put = (token: string, entry: Entry): void => {
    if (young.size >= maxEntries) {
      old = young
      young = new Map()
    }
    young.set(token, entry)
  }
  return {
    find(token, scope) {
      let entry = young.get(token)
      if (entry === undefined) {
        entry = old.get(token)
        if (entry === undefined) return null
        put(token, entry)
      }
      return entry.scope === scope ? entry.claims : null
    },
    insert(token, scope, claims) {
      if (token.length <= MAX_CACHED_LENGTH) put(token, { scope, claims })
    },
  }
}
