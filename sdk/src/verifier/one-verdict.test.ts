import { afterEach, describe, expect, it, vi } from 'vitest'
import { createMasterKey } from '../../../services/api/src/shared/crypto.ts'
import { createKeyring } from '../../../services/api/src/signing-keys/keyring.ts'
import { authenticateToken, checkTimes } from '../../../services/api/src/tokens/access-token.ts'
import { claimsFor, createTestKey, TENANT, type TestKey } from '../../test/feed-service.ts'
import { createHostileTokens } from '../testing/hostile-tokens.ts'
import { createVerifier, type Verifier } from './verifier.ts'

const ISSUER = `https://sesame.test/t/${TENANT}`
afterEach(() => vi.restoreAllMocks())

/** The API's own code, with the same public key. */
function judgeOfApi({ jwk, kid }: TestKey): (token: string) => string {
  const now = new Date()
  const dates = { createdAt: now, usableFrom: now, signsFrom: now, publishedUntil: null }
  const stored = { tenantId: TENANT, kid, publicKey: String(jwk.x), privateKeySealed: Buffer.of() }
  const keyring = createKeyring(
    [{ ...stored, ...dates, revokedAt: null }],
    createMasterKey(Buffer.alloc(32, 1)),
  )
  return token => {
    const nowMs = Date.now()
    const expected = { issuer: ISSUER, audience: TENANT, nowMs }
    const verdict = authenticateToken(keyring, token, expected)
    return verdict.valid ? (checkTimes(verdict.claims, nowMs) ?? 'valid') : verdict.reason
  }
}

function verifierOf(key: TestKey, requests: string[] = []): Verifier {
  return createVerifier({
    issuer: ISSUER,
    fetch: async url => {
      requests.push(String(url))
      return Response.json({ keys: [key.jwk] })
    },
  })
}

const verdictOf = async (verify: Verifier, token: string): Promise<string> => {
  const verification = await verify(token)
  return verification.valid ? 'valid' : verification.reason
}

/** With the crypto of the platform, and as where there is none but WebCrypto. */
describe.each(['native', 'portable'])('with %s crypto', crypto => {
  const prepare = async () => {
    if (crypto === 'portable') vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined)
    const key = await createTestKey()
    const requests: string[] = []
    const verify = verifierOf(key, requests)
    await verify.ready()
    return { key, verify, requests, judge: judgeOfApi(key) }
  }

  it('every hostile token gets the verdict that the API gives, and reaches nobody', async () => {
    const { key, verify, requests, judge } = await prepare()
    const corpus = await createHostileTokens(key.source(await key.sign(claimsFor(ISSUER))))
    expect(corpus.length).toBeGreaterThan(1_200)
    const different: unknown[] = []
    for (const { name, token, reasons } of corpus) {
      const verdict = await verdictOf(verify, token)
      const isRight = verdict === judge(token) && (reasons as string[]).includes(verdict)
      if (!isRight) different.push({ name, verdict, api: judge(token), reasons })
    }
    expect(different).toEqual([])
    // The set at the start, and one look for a kid that it does not hold.
    expect(new Set(requests)).toEqual(new Set([`${ISSUER}/.well-known/jwks.json`]))
    expect(requests.length).toBeLessThanOrEqual(2)
  })

  it('the good token passes with both names of its algorithm; the API knows the first', async () => {
    const { key, verify, judge } = await prepare()
    const token = await key.sign(claimsFor(ISSUER))
    expect([await verdictOf(verify, token), judge(token)]).toEqual(['valid', 'valid'])
    const renamed = await key.sign(claimsFor(ISSUER), { alg: 'Ed25519' })
    expect([await verdictOf(verify, renamed), judge(renamed)]).toEqual([
      'valid',
      'signature_invalid',
    ])
  })

  it('what is no text is malformed, and never an exception', async () => {
    const { verify } = await prepare()
    for (const value of [undefined, null, 1, {}, [], Symbol('t'), 'a.b', new String('a.b.c')])
      expect(await verify(value as string)).toEqual({ valid: false, reason: 'malformed' })
  })
})

it('a key that signs for everybody, or under the name of another, is not taken from a JWK set', async () => {
  const key = await createTestKey()
  const other = await createTestKey()
  for (const jwk of [
    { ...other.jwk, kid: key.kid },
    { ...key.jwk, d: 'AAAA' },
    { ...key.jwk, use: 'enc' },
    { ...key.jwk, alg: 'HS256' },
    { ...key.jwk, kty: 'oct', k: 'AAAA' },
    { ...key.jwk, crv: 'X25519' },
    { ...key.jwk, key_ops: ['sign'] },
    { ...key.jwk, x: `${key.jwk.x}A` },
    null,
    'x',
  ]) {
    const verify = createVerifier({
      issuer: ISSUER,
      fetch: async () => Response.json({ keys: [jwk] }),
    })
    const token = await other.sign(claimsFor(ISSUER), { kid: key.kid })
    await expect(verify(token)).rejects.toMatchObject({ code: 'jwks_unavailable', status: 503 })
    expect(verify.status().lastError).toBe('the JWK set holds no key that can be used')
    verify.close()
  }
})
