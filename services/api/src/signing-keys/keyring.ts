import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import type { MasterKey } from '../shared/crypto.ts'

/** A signing key as it is stored. */
export interface StoredSigningKey {
  tenantId: string
  kid: string
  publicKey: string
  privateKeySealed: Uint8Array
  createdAt: Date
  usableFrom: Date
  signsFrom: Date | null
  publishedUntil: Date | null
  revokedAt: Date | null
}

/** The public half, as RFC 7517 and RFC 8037 write it. */
export interface PublicJwk {
  kty: 'OKP'
  crv: 'Ed25519'
  x: string
  kid: string
  alg: 'EdDSA'
  use: 'sig'
}

/** One key pair, able to sign and verify the bytes of a JWS. */
export interface TokenKey {
  kid: string
  /** The encoded JOSE header of every token that this key signs, with no dot. */
  headerSegment: string
  sign(signingInput: string): Buffer
  verify(signingInput: string, signature: Buffer): boolean
}

/** The signing keys of one tenant at any moment. */
export interface Keyring {
  /** The key that signs now. */
  signer(nowMs: number): TokenKey | null
  /** The key whose tokens begin with exactly this header, unless it is revoked or long retired. */
  findByHeader(headerSegment: string, nowMs: number): TokenKey | null
  /** What the tenant's JWK set holds now: the next key, the current one, the retired ones. */
  published(nowMs: number): PublicJwk[]
}

export const SIGNING_KEY_PURPOSE = 'signing-key'
/** Binds a sealed private key to its tenant and its name: it opens nowhere else. */
export const sealingContext = (tenantId: string, kid: string): string => `${tenantId}/${kid}`

export function createKeyring(stored: StoredSigningKey[], masterKey: MasterKey): Keyring {
  const usable = stored.filter(key => key.revokedAt === null)
  const keys = usable.map(key => ({ stored: key, tokenKey: createTokenKey(key, masterKey) }))
  const byHeader = new Map(keys.map(key => [key.tokenKey.headerSegment, key]))
  return {
    signer(nowMs) {
      let best: (typeof keys)[number] | null = null
      for (const key of keys) if (isBetterSigner(key.stored, best?.stored, nowMs)) best = key
      return best?.tokenKey ?? null
    },
    findByHeader(headerSegment, nowMs) {
      const key = byHeader.get(headerSegment)
      return key !== undefined && isPublished(key.stored, nowMs) ? key.tokenKey : null
    },
    published: nowMs => usable.filter(key => isPublished(key, nowMs)).map(toPublicJwk),
  }
}

export const toPublicJwk = ({ kid, publicKey }: StoredSigningKey): PublicJwk => ({
  kty: 'OKP',
  crv: 'Ed25519',
  x: publicKey,
  kid,
  alg: 'EdDSA',
  use: 'sig',
})

/**
 * The latest to have begun. Where none has, as on a node whose clock is behind the one that made the
 * first key, the earliest to begin, and the next key if there is no other: neither a wrong clock nor a
 * missing key must keep anybody from signing in.
 */
function isBetterSigner(
  key: StoredSigningKey,
  than: StoredSigningKey | undefined,
  nowMs: number,
): boolean {
  if (than === undefined) return true
  const beginsMs = signsFromMs(key)
  const otherBeginsMs = signsFromMs(than)
  return otherBeginsMs > nowMs
    ? beginsMs < otherBeginsMs
    : beginsMs <= nowMs && beginsMs > otherBeginsMs
}

const signsFromMs = (key: StoredSigningKey): number => key.signsFrom?.getTime() ?? Infinity

const isPublished = (key: StoredSigningKey, nowMs: number): boolean =>
  key.publishedUntil === null || key.publishedUntil.getTime() > nowMs

function createTokenKey(stored: StoredSigningKey, masterKey: MasterKey): TokenKey {
  const header = { alg: 'EdDSA', typ: 'at+jwt', kid: stored.kid }
  const publicKey = createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: stored.publicKey },
    format: 'jwk',
  })
  // Most nodes never sign with most keys: a private key is opened when it is first needed.
  let privateKey: KeyObject | undefined
  return {
    kid: stored.kid,
    headerSegment: Buffer.from(JSON.stringify(header)).toString('base64url'),
    sign(signingInput) {
      privateKey ??= openPrivateKey(stored, masterKey)
      return sign(null, Buffer.from(signingInput), privateKey)
    },
    verify: (signingInput, signature) =>
      verify(null, Buffer.from(signingInput), publicKey, signature),
  }
}

function openPrivateKey(stored: StoredSigningKey, masterKey: MasterKey): KeyObject {
  const { tenantId, kid, privateKeySealed } = stored
  const context = sealingContext(tenantId, kid)
  const der = masterKey.open(SIGNING_KEY_PURPOSE, context, Buffer.from(privateKeySealed))
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
}
