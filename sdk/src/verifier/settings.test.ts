import { inspect } from 'node:util'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { readSettings } from './settings.ts'
import { createVerifier, type VerifierOptions } from './verifier.ts'

const ISSUER = 'https://auth.example.com/t/tnt_01K3Z8Q5V7M2N4P6R8S0T1W3X5'
const SECRET = 'sk_test_a_secret_that_nobody_may_see'
afterEach(() => vi.unstubAllGlobals())

describe('the options of a verifier', () => {
  it('are made whole from the issuer', () => {
    expect(readSettings({ issuer: ISSUER })).toMatchObject({
      audience: 'tnt_01K3Z8Q5V7M2N4P6R8S0T1W3X5',
      jwksUrl: `${ISSUER}/.well-known/jwks.json`,
      maxStalenessMs: 15_000,
      onStale: 'ask',
      timeoutMs: 5_000,
      secretKey: null,
    })
    const revocations = { secretKey: SECRET }
    expect(readSettings({ issuer: ISSUER, revocations }).baseUrl).toBe('https://auth.example.com')
  })

  it.each<[string, unknown]>([
    ['createVerifier takes an object', null],
    ['issuer must be a URL', {}],
    ['issuer must be a URL', { issuer: 'auth.example.com' }],
    ['issuer must be a URL', { issuer: 'ftp://auth.example.com/t/x' }],
    ['issuer must not end in a slash', { issuer: `${ISSUER}/` }],
    ['issuer must be https', { issuer: ISSUER.replace('https', 'http') }],
    ['jwksUri must be https', { issuer: ISSUER, jwksUri: 'http://auth.example.com/jwks' }],
    ['baseUrl must be https', { issuer: ISSUER, baseUrl: 'http://auth.example.com' }],
    ['must hold no user', { issuer: 'https://u:p@auth.example.com/t/x' }],
    ['audience is needed', { issuer: 'https://auth.example.com' }],
    [
      'baseUrl is needed',
      { issuer: 'https://a.example.com', audience: 'a', revocations: { secretKey: SECRET } },
    ],
    ['audience is needed', { issuer: ISSUER, audience: '' }],
    ['maxStaleness must be milliseconds', { issuer: ISSUER, maxStaleness: Number.NaN }],
    ['maxStaleness must be milliseconds', { issuer: ISSUER, maxStaleness: -1 }],
    ['timeoutMs must be milliseconds', { issuer: ISSUER, timeoutMs: '5' }],
    ["onStale must be 'ask'", { issuer: ISSUER, onStale: 'allow' }],
    ['no option named audiance', { issuer: ISSUER, audiance: 'x' }],
    ['no option named key', { issuer: ISSUER, revocations: { key: SECRET } }],
    ['secretKey must be a secret key', { issuer: ISSUER, revocations: { secretKey: '' } }],
    [
      'secretKey must be a secret key',
      { issuer: ISSUER, revocations: { secretKey: `${SECRET}\n` } },
    ],
    ['fetch must be a function', { issuer: ISSUER, fetch: true }],
  ])('that are wrong are refused: %s', (message, options) => {
    expect(() => createVerifier(options as VerifierOptions)).toThrow(message)
    try {
      createVerifier(options as VerifierOptions)
    } catch (error) {
      expect(error).toBeInstanceOf(TypeError)
      expect(inspect(error)).not.toContain(SECRET)
    }
  })

  it('may name this machine without https', () => {
    for (const host of ['localhost', '127.0.0.1', '127.1.2.3', '[::1]', 'sesame.localhost'])
      expect(readSettings({ issuer: `http://${host}:3000/t/tnt_1` }).audience).toBe('tnt_1')
    for (const host of ['localhost.example.com', '127.0.0.1.example.com', '0.0.0.0'])
      expect(() => readSettings({ issuer: `http://${host}:3000/t/tnt_1` })).toThrow('https')
  })

  it('with a secret key are refused in a browser', () => {
    vi.stubGlobal('window', {})
    vi.stubGlobal('document', {})
    expect(() => createVerifier({ issuer: ISSUER, revocations: { secretKey: SECRET } })).toThrow(
      'never be in a browser',
    )
    createVerifier({ issuer: ISSUER, fetch: async () => new Response('{}') }).close()
  })
})

it('no secret is seen in a verifier, its status or its errors', async () => {
  const verify = createVerifier({
    issuer: ISSUER,
    revocations: { secretKey: SECRET },
    timeoutMs: 20,
    fetch: async (url, init) => {
      throw new Error(`failed: ${String(url)} ${JSON.stringify(init?.headers)} ${SECRET}`)
    },
  })
  const error = await verify.ready().catch((caught: unknown) => caught)
  expect(error).toMatchObject({ name: 'VerifierUnavailableError' })
  const seen = [error, verify, verify.status()].map(
    value => inspect(value, { depth: 20, showHidden: true }) + JSON.stringify(value),
  )
  expect(seen.join()).not.toContain(SECRET)
  expect(verify.status().lastError).toBe('the feed could not be reached')
  verify.close()
})
