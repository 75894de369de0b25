import { encodeSegment, resign } from './encoding.ts'
import type { HostileToken, HostileTokenSource } from './hostile-tokens.ts'

/** Signed by the tenant's own key, under a header that is not the one it writes. */
export function falseHeaders(source: HostileTokenSource): Promise<HostileToken[]> {
  const payload = source.token.split('.')[1] ?? ''
  return Promise.all(
    Object.entries(headers(source)).map(async ([name, header]) => ({
      name: `header: ${name}`,
      token: await resign(`${encodeSegment(header)}.${payload}.`, source.privateKey),
      reasons: ['malformed', 'signature_invalid'] as const,
    })),
  )
}

function headers({ publicJwk, listenerUrl }: HostileTokenSource): Record<string, unknown> {
  const { kid, ...jwk } = publicJwk
  const listener = listenerUrl ?? 'http://127.0.0.1:9/key'
  const good = { alg: 'EdDSA', typ: 'at+jwt', kid }
  return {
    'alg missing': { typ: 'at+jwt', kid },
    'alg null': { ...good, alg: null },
    'alg an array': { ...good, alg: ['EdDSA'] },
    'alg with a space': { ...good, alg: 'EdDSA ' },
    'alg in lower case': { ...good, alg: 'eddsa' },
    'alg ES256': { ...good, alg: 'ES256' },
    'alg RS256': { ...good, alg: 'RS256' },
    'alg Ed448': { ...good, alg: 'Ed448' },
    'alg dir, a JWE': { ...good, alg: 'dir', enc: 'A256GCM' },
    'kid missing': { alg: 'EdDSA', typ: 'at+jwt' },
    'kid null': { ...good, kid: null },
    'kid empty': { ...good, kid: '' },
    'kid a number': { ...good, kid: 1 },
    'kid an object': { ...good, kid: { $ne: null } },
    'kid an array': { ...good, kid: [kid] },
    'kid SQL': { ...good, kid: "x' OR '1'='1" },
    'kid a path': { ...good, kid: '../../../../dev/null' },
    'kid __proto__': { ...good, kid: '__proto__' },
    'kid constructor': { ...good, kid: 'constructor' },
    'kid of 64 KB': { ...good, kid: 'k'.repeat(65_536) },
    'kid unknown': { ...good, kid: 'A'.repeat(43) },
    'kid with a space': { ...good, kid: `${kid} ` },
    jku: { ...good, jku: listener },
    x5u: { ...good, x5u: listener },
    x5c: { ...good, x5c: ['MAA='] },
    jwk: { ...good, jwk },
    'crit unknown': { ...good, crit: ['exp'] },
    'crit empty': { ...good, crit: [] },
    'b64 false': { ...good, b64: false, crit: ['b64'] },
    'b64 false, not critical': { ...good, b64: false },
    zip: { ...good, zip: 'DEF' },
    cty: { ...good, cty: 'JWT' },
    'typ missing': { alg: 'EdDSA', kid },
    'typ null': { ...good, typ: null },
    'typ an array': { ...good, typ: ['at+jwt'] },
    ...Object.fromEntries(FALSE_TYPES.map(typ => [`typ ${typ}`, { ...good, typ }])),
    'an array': [good],
    'a string': '"EdDSA"',
    null: 'null',
    'not JSON': '{alg',
    'members twice': `{"alg":"none","alg":"EdDSA","typ":"at+jwt","kid":"${kid}"}`,
    'kid twice': `{"alg":"EdDSA","typ":"at+jwt","kid":"x","kid":"${kid}"}`,
    'a space more': `{"alg":"EdDSA", "typ":"at+jwt","kid":"${kid}"}`,
    'a line end more': `{"alg":"EdDSA","typ":"at+jwt","kid":"${kid}"}\n`,
    'an escape more': `{"alg":"Ed\\u0044SA","typ":"at+jwt","kid":"${kid}"}`,
  }
}

/** Something else that is signed by the same key is no access token. */
const FALSE_TYPES = [
  'JWT',
  'rt+jwt',
  'secevent+jwt',
  'logout+jwt',
  'id_token',
  'dpop+jwt',
  'application/at+jwt',
  'AT+JWT ',
  'at',
]
