import { type CryptoKey, calculateJwkThumbprint, exportJWK } from 'jose'
import type { SigningJwk } from './hostile-tokens.ts'

/** An Ed25519 key pair, named by its RFC 7638 thumbprint as those of Sesame are. */
export interface SigningKey {
  privateKey: CryptoKey
  publicJwk: SigningJwk
}

export async function createSigningKey(): Promise<SigningKey> {
  const pair = await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify'])
  if (!('privateKey' in pair)) throw new Error('Ed25519 makes a pair')
  const { x } = await exportJWK(pair.publicKey)
  if (x === undefined) throw new Error('an Ed25519 key has no x')
  const jwk = { kty: 'OKP', crv: 'Ed25519', x } as const
  const kid = await calculateJwkThumbprint(jwk)
  return { privateKey: pair.privateKey, publicJwk: { ...jwk, kid } }
}
