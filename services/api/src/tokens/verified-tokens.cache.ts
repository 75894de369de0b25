/**
 * Tokens whose signature and fixed claims were found good. It saves the signature check of a token
 * that was seen before and nothing else: times and revocations are checked every time.
 *
 * An entry counts only for the very keyring and audience that it was made with: another tenant's
 * keyring, or the same tenant's after any change of keys or settings, is another object.
 */
export interface VerifiedTokens<Checked> {
  find(token: string, scope: object): Checked | null
  insert(token: string, scope: object, checked: Checked): void
}

interface Entry<Checked> {
  scope: object
  checked: Checked
}

/** Most tokens have 700 characters. Longer ones are checked each time, to bound the memory. */
const MAX_CACHED_LENGTH = 2_048

/**
 * Two generations: what is used moves to the young one, and when that is full the old one is dropped
 * whole. Bounded and nearly least-recently-used, at the price of a map look-up.
 *
 * @param maxEntries of each generation.
 */
export function createVerifiedTokens<Checked>(maxEntries: number): VerifiedTokens<Checked> {
  let young = new Map<string, Entry<Checked>>()
  let old = new Map<string, Entry<Checked>>()
  const put = (token: string, entry: Entry<Checked>): void => {
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
      return entry.scope === scope ? entry.checked : null
    },
    insert(token, scope, checked) {
      if (token.length <= MAX_CACHED_LENGTH) put(token, { scope, checked })
    },
  }
}
