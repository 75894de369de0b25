import type { CryptoKey } from 'jose'
import type { TokenInvalidReason } from '../verifier/verification.ts'
import { falseClaims } from './hostile-claims.ts'
import { forgedTokens } from './hostile-forgeries.ts'
import { falseHeaders } from './hostile-headers.ts'
import { alteredTokens } from './hostile-spellings.ts'

/** What a corpus is made from: a good token, and the key pair that signed it. */
export interface HostileTokenSource {
  token: string
  publicJwk: SigningJwk
  privateKey: CryptoKey
  /** Where `jku` and `x5u` point; a test that listens there must see no connection. */
  listenerUrl?: string
  /** What the clock of whoever judges them says, in milliseconds. Default: now. */
  nowMs?: number
}

/** The public half of a signing key, as a JWK set shows it. */
export interface SigningJwk {
  kty: 'OKP'
  crv: 'Ed25519'
  x: string
  kid: string
}

/** A token that must be refused. */
export interface HostileToken {
  name: string
  token: string
  /** The reasons that are right for it; any other verdict is a bug. */
  reasons: readonly TokenInvalidReason[]
}

/**
 * Every way in which we know a token can lie, some 5,000 of them: altered, forged without the key,
 * and signed by the tenant's own key with only a header or a claim that is wrong. The API of Sesame
 * and its local verifier get the same corpus and give the same verdict; run it against your own
 * set-up, where each must be refused.
 *
 * @example
 * for (const { name, token } of await createHostileTokens({ token, publicJwk, privateKey })) {
 *   if ((await verify(token)).valid) throw new Error(name)
 * }
 */
export async function createHostileTokens(source: HostileTokenSource): Promise<HostileToken[]> {
  const parts = await Promise.all([
    alteredTokens(source),
    forgedTokens(source),
    falseHeaders(source),
    falseClaims(source),
  ])
  return parts.flat()
}
