import { generateKeyPairSync } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import type { MasterKey } from '../shared/crypto.ts'
import { SIGNING_KEY_PURPOSE, type StoredSigningKey, sealingContext } from './keyring.ts'

export type NewKeyPair = Pick<
  StoredSigningKey,
  'tenantId' | 'kid' | 'publicKey' | 'privateKeySealed'
>

/** An Ed25519 key pair named by its RFC 7638 thumbprint, the private half sealed for the tenant. */
export async function createKeyPair(tenantId: string, masterKey: MasterKey): Promise<NewKeyPair> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const { x } = publicKey.export({ format: 'jwk' })
  if (x === undefined) throw new Error('an Ed25519 key has no x')
  const kid = await calculateJwkThumbprint({ kty: 'OKP', crv: 'Ed25519', x }, 'sha256')
  const der = privateKey.export({ format: 'der', type: 'pkcs8' })
  const context = sealingContext(tenantId, kid)
  return {
    tenantId,
    kid,
    publicKey: x,
    privateKeySealed: masterKey.seal(SIGNING_KEY_PURPOSE, context, der),
  }
}
