import { decodeText, encodeSegment, resign } from './encoding.ts'
import type { HostileToken, HostileTokenSource } from './hostile-tokens.ts'

/** Signed by the tenant's own key, under its own header: only the claims are wrong. */
export function falseClaims(source: HostileTokenSource): Promise<HostileToken[]> {
  const { token, privateKey, nowMs = Date.now() } = source
  const [header = '', payload = ''] = token.split('.')
  const text = decodeText(payload)
  const good: Claims = JSON.parse(text)
  const all = [
    ...wrongTypes(good),
    ...wrongTimes(good, nowMs),
    ...wrongAddressees(good),
    ...forms(text),
  ]
  return Promise.all(
    all.map(async ({ name, reason, body }) => ({
      name: `claims: ${name}`,
      token: await resign(`${header}.${encodeSegment(body)}.`, privateKey),
      reasons: [reason],
    })),
  )
}

type Claims = Record<string, unknown>

interface FalseClaims {
  name: string
  reason: HostileToken['reasons'][number]
  body: unknown
}

const malformed = (name: string, body: unknown): FalseClaims => ({
  name,
  reason: 'malformed',
  body,
})

const TYPED_CLAIMS = ['sub', 'sid', 'exp', 'iat', 'iss', 'aud', 'tenant_id', 'gen']

function wrongTypes(good: Claims): FalseClaims[] {
  const without = (claim: string) =>
    Object.fromEntries(Object.entries(good).filter(([name]) => name !== claim))
  const replaced = [null, [], {}, 'x', true].flatMap(value =>
    TYPED_CLAIMS.filter(claim => typeof value !== typeof good[claim]).map(claim =>
      malformed(`${claim} = ${JSON.stringify(value)}`, { ...good, [claim]: value }),
    ),
  )
  return [
    ...Object.keys(good).map(claim => malformed(`${claim} missing`, without(claim))),
    ...replaced,
    malformed('mfa_verified a string', { ...good, mfa_verified: 'true' }),
    malformed('amr a string', { ...good, amr: 'mfa' }),
    malformed('amr of numbers', { ...good, amr: [1] }),
    malformed('role an array', { ...good, role: ['admin'] }),
  ]
}

function wrongTimes(good: Claims, nowMs: number): FalseClaims[] {
  const now = Math.floor(nowMs / 1000)
  const forms = ['exp', 'iat', 'auth_time'].flatMap(claim => [
    malformed(`${claim} a string`, { ...good, [claim]: String(now + 600) }),
    malformed(`${claim} a float`, { ...good, [claim]: now + 0.5 }),
    malformed(`${claim} negative`, { ...good, [claim]: -1 }),
    malformed(`${claim} 1e308`, { ...good, [claim]: 1e308 }),
    malformed(`${claim} beyond 2^53`, { ...good, [claim]: 2 ** 60 }),
    malformed(`${claim} beyond any date`, { ...good, [claim]: 8_640_000_000_001 }),
  ])
  const late = (name: string, claims: Claims): FalseClaims => ({
    name,
    reason: 'expired',
    body: { ...good, ...claims },
  })
  const early = (name: string, claims: Claims): FalseClaims => ({
    name,
    reason: 'not_yet_valid',
    body: { ...good, ...claims },
  })
  return [
    ...forms,
    late('exp now', { exp: now }),
    late('exp a second ago', { exp: now - 1 }),
    late('exp zero', { exp: 0 }),
    early('iat in an hour', { iat: now + 3_600, exp: now + 7_200 }),
    early('iat in a thousand years', { iat: now + 3e10, exp: now + 4e10 }),
    early('nbf in an hour', { nbf: now + 3_600 }),
    early('nbf a string', { nbf: 'x' }),
    early('nbf null', { nbf: null }),
  ]
}

function wrongAddressees(good: Claims): FalseClaims[] {
  const issuer = String(good.iss)
  const audience = String(good.aud)
  const issuers: [string, string][] = [
    ['of another tenant', issuer.replace(/.$/, last => (last === 'X' ? 'Y' : 'X'))],
    ['a prefix', issuer.slice(0, -1)],
    ['with a suffix', `${issuer}/`],
    ['in upper case', issuer.toUpperCase()],
    ['with a space', `${issuer} `],
    ['empty', ''],
  ]
  const audiences: [string, string][] = [
    ['wrong', 'other'],
    ['in another case', swapCase(audience)],
    ['with a suffix', `${audience}x`],
    ['empty', ''],
  ]
  return [
    ...issuers.map(([name, iss]): FalseClaims => {
      return { name: `iss ${name}`, reason: 'issuer_invalid', body: { ...good, iss } }
    }),
    ...audiences.map(([name, aud]): FalseClaims => {
      return { name: `aud ${name}`, reason: 'audience_invalid', body: { ...good, aud } }
    }),
    malformed('iss an array with ours', { ...good, iss: [issuer] }),
    malformed('aud an array with ours', { ...good, aud: [audience] }),
    malformed('aud an array with ours second', { ...good, aud: ['other', audience] }),
  ]
}

const swapCase = (text: string): string =>
  text === text.toLowerCase() ? text.toUpperCase() : text.toLowerCase()

/** What is said is right, and how it is written is not: two parsers could read two things. */
function forms(text: string): FalseClaims[] {
  return [
    malformed('a claim twice', text.replace('{', '{"sub":"admin",')),
    malformed('a claim twice, last', text.replace(/}$/, ',"sub":"admin"}')),
    malformed('a claim twice, by an escape', text.replace(/}$/, ',"s\\u0075b":"admin"}')),
    malformed('a space more', text.replace(',', ', ')),
    malformed('a line end more', `${text}\n`),
    malformed('a byte-order mark', `\ufeff${text}`),
    malformed('another spelling of a number', text.replace(/"gen":(\d+)/, '"gen":$1.0')),
    malformed('__proto__', text.replace('{', '{"__proto__":{"sub":"admin"},')),
    malformed('an array', `[${text}]`),
    malformed('a string', '"x"'),
    malformed('null', 'null'),
    malformed('a number', '1'),
    malformed('no object at all', '{}'),
    malformed('nothing', ''),
    malformed('not JSON', '{'),
    malformed('2,000 deep', '['.repeat(2_000)),
  ]
}
