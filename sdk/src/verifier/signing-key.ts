import type { TokenParts } from './access-token.ts'
import { decodeBase64url, encodeBase64url } from './base64url.ts'
import { isWeakPublicKey } from './weak-public-keys.ts'

/** A public key that signs access tokens. */
export interface SigningKey {
  kid: string
  /** The encoded JOSE headers of its tokens: what comes under another is not its token. */
  headers: readonly string[]
  verify(parts: TokenParts, signature: Uint8Array<ArrayBuffer>): boolean | Promise<boolean>
}

/** RFC 8037 names the algorithm `EdDSA`, RFC 9864 renames it `Ed25519`. Nothing else is taken. */
const ALGORITHMS = ['EdDSA', 'Ed25519']

/**
 * A key of a JWK set, screened: an Ed25519 public key for signatures, no private half, none that
 * signs for everybody, and named by its own RFC 7638 thumbprint, so that whoever serves the set can't
 * put another key under a known name.
 *
 * @returns null for a key that is not to be used.
 */
export async function importSigningKey(jwk: unknown): Promise<SigningKey | null> {
  if (!isUsable(jwk)) return null
  const publicJwk = { crv: 'Ed25519', kty: 'OKP', x: jwk.x }
  if ((await thumbprint(publicJwk)) !== jwk.kid) return null
  return {
    kid: jwk.kid,
    headers: ALGORITHMS.map(alg =>
      encodeBase64url(JSON.stringify({ alg, typ: 'at+jwt', kid: jwk.kid })),
    ),
    verify: nativeVerify(publicJwk) ?? (await portableVerify(publicJwk)),
  }
}

interface UsableJwk {
  kid: string
  x: string
}

interface Ed25519Jwk {
  crv: string
  kty: string
  x: string
}

function isUsable(jwk: unknown): jwk is UsableJwk {
  if (typeof jwk !== 'object' || jwk === null) return false
  const { kty, crv, x, kid, use, alg, key_ops: operations, d } = jwk as Record<string, unknown>
  if (kty !== 'OKP' || crv !== 'Ed25519' || d !== undefined) return false
  if (use !== undefined && use !== 'sig') return false
  if (alg !== undefined && !ALGORITHMS.includes(String(alg))) return false
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify')))
    return false
  if (typeof kid !== 'string' || typeof x !== 'string') return false
  const bytes = decodeBase64url(x)
  return bytes !== null && bytes.length === 32 && !isWeakPublicKey(bytes)
}

/** The part of `node:crypto` that is used, so that nothing here needs the types of Node. */
interface NativeCrypto {
  createPublicKey(input: { key: object; format: 'jwk' }): object
  verify(algorithm: null, data: Uint8Array, key: object, signature: Uint8Array): boolean
}

const utf8 = new TextEncoder()
/** As long as a token may be. Used within one call: an array for each costs more than to copy. */
const scratch = new Uint8Array(4096)

/**
 * The crypto of Node, Bun and Deno: at once and with half the work of WebCrypto, which sends each
 * signature through a thread pool. It is asked for at run time, so a bundle for elsewhere holds no
 * import of it.
 */
function nativeVerify(jwk: Ed25519Jwk): SigningKey['verify'] | null {
  const host = globalThis as { process?: { getBuiltinModule?(id: string): unknown } }
  try {
    const native = host.process?.getBuiltinModule?.('crypto') as NativeCrypto | undefined
    if (native === undefined) return null
    const key = native.createPublicKey({ key: jwk, format: 'jwk' })
    return ({ signingInput }, signature) => {
      const { written } = utf8.encodeInto(signingInput, scratch)
      return native.verify(null, scratch.subarray(0, written), key, signature)
    }
  } catch {
    return null
  }
}

/** WebCrypto itself: the algorithm is that of the key, and nothing in a token is asked for it. */
async function portableVerify(jwk: Ed25519Jwk): Promise<SigningKey['verify']> {
  const key = await crypto.subtle.importKey('jwk', jwk, 'Ed25519', false, ['verify'])
  return ({ signingInput }, signature) =>
    crypto.subtle.verify('Ed25519', key, signature, utf8.encode(signingInput))
}

/** RFC 7638: the hash of the members that make the key, in the order of their names. */
async function thumbprint({ crv, kty, x }: Ed25519Jwk): Promise<string> {
  const members = utf8.encode(JSON.stringify({ crv, kty, x }))
  const hash = await crypto.subtle.digest('SHA-256', members)
  return encodeBase64url(String.fromCharCode(...new Uint8Array(hash)))
}
