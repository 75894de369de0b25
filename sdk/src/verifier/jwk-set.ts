import { ServiceError } from './service-error.ts'
import { importSigningKey, type SigningKey } from './signing-key.ts'

/** The keys of one JWK set (RFC 7517). */
export interface KeySet {
  /** The key whose tokens begin with exactly this header. */
  find(header: string): SigningKey | null
  has(key: SigningKey): boolean
  readonly kids: ReadonlyMap<string, SigningKey>
}

const MAX_KEYS = 64

/**
 * Keys that are not for us (another type, another use) or not to be trusted are left out. A set that
 * holds no key at all, or a name twice, is not believed.
 *
 * @param known the set before: a key that stays is the same object, so that what was verified with it
 *   stays verified.
 * @throws ServiceError
 */
export async function readJwkSet(text: string, known: KeySet | null): Promise<KeySet> {
  const keys = parseKeys(text)
  const kids = new Map<string, SigningKey>()
  for (const jwk of keys) {
    const imported = await importSigningKey(jwk)
    if (imported === null) continue
    if (kids.has(imported.kid)) throw new ServiceError('the JWK set holds a key twice')
    // The name is the thumbprint of the key: the same name is the same key.
    kids.set(imported.kid, known?.kids.get(imported.kid) ?? imported)
  }
  if (kids.size === 0) throw new ServiceError('the JWK set holds no key that can be used')
  const byHeader = new Map<string, SigningKey>()
  for (const key of kids.values()) for (const header of key.headers) byHeader.set(header, key)
  return {
    find: header => byHeader.get(header) ?? null,
    has: key => kids.get(key.kid) === key,
    kids,
  }
}

function parseKeys(text: string): unknown[] {
  let keys: unknown
  try {
    keys = (JSON.parse(text) as { keys?: unknown } | null)?.keys
  } catch {
    throw new ServiceError('the JWK set is not JSON')
  }
  if (!Array.isArray(keys)) throw new ServiceError('the JWK set holds no list of keys')
  if (keys.length > MAX_KEYS) throw new ServiceError(`the JWK set holds more than ${MAX_KEYS} keys`)
  return keys
}
