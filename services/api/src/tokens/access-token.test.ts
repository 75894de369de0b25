import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { createVerifier } from 'fast-jwt'
import { beforeAll, describe, expect, it } from 'vitest'
import { createHostileTokens } from '../../../../sdk/src/testing/hostile-tokens.ts'
import { createMasterKey } from '../shared/crypto.ts'
import { createKeyPair } from '../signing-keys/key-pair.ts'
import {
  createKeyring,
  type Keyring,
  SIGNING_KEY_PURPOSE,
  sealingContext,
} from '../signing-keys/keyring.ts'
import {
  type AccessTokenClaims,
  authenticateToken,
  checkTimes,
  signAccessToken,
} from './access-token.ts'

const TENANT = 'tnt_01K3Z8Q5V7M2N4P6R8S0T1W3X5'
const ISSUER = `http://sesame.test/t/${TENANT}`
const masterKey = createMasterKey(Buffer.alloc(32, 1))
const nowMs = Date.now()
const nowSeconds = Math.floor(nowMs / 1000)

const claims: AccessTokenClaims = {
  iss: ISSUER,
  aud: TENANT,
  sub: 'usr_1',
  sid: 'ses_01K3Z8Q5V7M2N4P6R8S0T1W3X5',
  jti: 'tok_01K3Z8Q5V7M2N4P6R8S0T1W3X5',
  iat: nowSeconds,
  exp: nowSeconds + 900,
  auth_time: nowSeconds,
  tenant_id: TENANT,
  org_id: null,
  role: 'member',
  amr: ['pwd', 'otp'],
  mfa_verified: true,
  client_id: 'web',
  gen: 3,
}

let keyring: Keyring
let kid: string
let publicKey: KeyObject
let privateKey: KeyObject
let token: string

beforeAll(async () => {
  const pair = createKeyPair(TENANT, masterKey)
  const now = new Date(nowMs)
  const dates = {
    createdAt: now,
    usableFrom: now,
    signsFrom: now,
    publishedUntil: null,
    revokedAt: null,
  }
  keyring = createKeyring([{ ...pair, ...dates }], masterKey)
  kid = pair.kid
  const context = sealingContext(TENANT, kid)
  const der = masterKey.open(SIGNING_KEY_PURPOSE, context, Buffer.from(pair.privateKeySealed))
  privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  publicKey = createPublicKey(privateKey)
  token = signAccessToken(keyring, claims, nowMs) ?? ''
})

/** As verify does it: what is fixed, then the times. */
function verdictOf(text: string): string {
  const verdict = authenticateToken(keyring, text, { issuer: ISSUER, audience: TENANT, nowMs })
  if (!verdict.valid) return verdict.reason
  return checkTimes(verdict.claims, nowMs) ?? 'valid'
}

/** What the corpus is made from, in the types of WebCrypto. */
async function toSource() {
  const { x = '' } = publicKey.export({ format: 'jwk' })
  const jwk = privateKey.export({ format: 'jwk' })
  return {
    token,
    nowMs,
    publicJwk: { kty: 'OKP', crv: 'Ed25519', x, kid } as const,
    privateKey: await crypto.subtle.importKey('jwk', jwk, 'Ed25519', false, ['sign']),
  }
}

describe('an access token', () => {
  it('is good, and says what it was made of', () => {
    const expected = { issuer: ISSUER, audience: TENANT, nowMs }
    expect(authenticateToken(keyring, token, expected)).toEqual({ valid: true, claims })
    expect(checkTimes(claims, nowMs)).toBeNull()
  })

  it('is refused in every hostile form, for the right reason', async () => {
    const corpus = await createHostileTokens(await toSource())
    expect(corpus.length).toBeGreaterThan(4_000)
    const wrong = corpus
      .map(({ name, token: hostile, reasons }) => ({ name, reasons, verdict: verdictOf(hostile) }))
      .filter(({ reasons, verdict }) => !reasons.some(reason => reason === verdict))
    expect(wrong).toEqual([])
  })

  it('is taken by another implementation', () => {
    const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString()
    const verify = createVerifier({ key: pem, algorithms: ['EdDSA'], cache: false })
    expect(verify(token)).toEqual(claims)
  })

  it('of a clock within a minute of ours is good; of one beyond is not yet valid', () => {
    expect(checkTimes({ ...claims, iat: nowSeconds + 59 }, nowMs)).toBeNull()
    expect(checkTimes({ ...claims, iat: nowSeconds + 62 }, nowMs)).toBe('not_yet_valid')
  })

  it('ends at the very moment it says', () => {
    expect(checkTimes({ ...claims, exp: nowSeconds }, nowSeconds * 1000 - 1)).toBeNull()
    expect(checkTimes({ ...claims, exp: nowSeconds }, nowSeconds * 1000)).toBe('expired')
  })

  it('of another tenant is refused though well made', async () => {
    const other = createKeyPair('tnt_01K3Z8Q5V7M2N4P6R8S0T1W3X6', masterKey)
    const now = new Date(nowMs)
    const dates = {
      createdAt: now,
      usableFrom: now,
      signsFrom: now,
      publishedUntil: null,
      revokedAt: null,
    }
    const foreign = createKeyring([{ ...other, ...dates }], masterKey)
    expect(verdictOf(signAccessToken(foreign, claims, nowMs) ?? '')).toBe('signature_invalid')
  })
})
