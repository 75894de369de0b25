import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

/** What a corpus is made from: a good token, and the key pair that signed it. */
export interface HostileTokenSource {
  token: string
  kid: string
  publicKey: KeyObject
  privateKey: KeyObject
}

export interface HostileToken {
  name: string
  token: string
  /** The reasons that are right for it; any other verdict is a bug. */
  reasons: readonly string[]
}

const FORM = ['malformed', 'signature_invalid'] as const
const SIGNATURE = ['signature_invalid', 'malformed'] as const

const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/**
 * Every way in which we know a token can lie. The API and the SDK get the same corpus and must give
 * the same verdict. Tokens of the second half are signed with the tenant's own key: only what they
 * say is wrong.
 */
export function createHostileTokens(source: HostileTokenSource): HostileToken[] {
  return [...altered(source), ...forged(source), ...headers(source), ...claims(source)]
}

function altered({ token }: HostileTokenSource): HostileToken[] {
  const [header = '', payload = '', signature = ''] = token.split('.')
  const bytes = Buffer.from(signature, 'base64url')
  const flips = Array.from({ length: bytes.length * 8 }, (_, bit) => {
    const flipped = Buffer.from(bytes)
    flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
    return {
      name: `signature bit ${bit}`,
      token: `${header}.${payload}.${flipped.toString('base64url')}`,
    }
  })
  const characters = Array.from({ length: token.length }, (_, at) => ({
    name: `character ${at}`,
    token: token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1),
  }))
  // Ed25519 signatures are (R, S); S + L is the other spelling of S.
  const order = 2n ** 252n + 27742317777372353535851937790883648493n
  const s = BigInt(`0x${Buffer.from(bytes.subarray(32)).reverse().toString('hex')}`)
  const spelled = Buffer.from((s + order).toString(16).padStart(64, '0'), 'hex').reverse()
  const malleable = Buffer.concat([bytes.subarray(0, 32), spelled]).toString('base64url')
  const others: [string, string][] = [
    ['empty', ''],
    ['one dot', '.'],
    ['two dots', '..'],
    ['three dots', '...'],
    ['no signature', `${header}.${payload}.`],
    ['no payload', `${header}..${signature}`],
    ['no header', `.${payload}.${signature}`],
    ['two parts', `${header}.${payload}`],
    ['four parts', `${token}.${signature}`],
    ['five parts, a JWE', `${token}.${signature}.${signature}`],
    ['truncated signature', token.slice(0, -4)],
    ['doubled signature', token + signature],
    ['signature with S + L', `${header}.${payload}.${malleable}`],
    ['signature of zeros', `${header}.${payload}.${encode('\0'.repeat(64))}`],
    ['non-canonical last character', token.slice(0, -1) + nextCharacter(token.at(-1) ?? 'A')],
    ['padding', `${token}=`],
    ['double padding', `${token}==`],
    ['trailing newline', `${token}\n`],
    ['leading space', ` ${token}`],
    ['trailing space', `${token} `],
    ['trailing NUL', `${token}\0`],
    ['Bearer in front', `Bearer ${token}`],
    ['plain base64', `${token.replaceAll('-', '+').replaceAll('_', '/')}+/`],
    ['JSON serialisation', JSON.stringify({ protected: header, payload, signature })],
    ['1 MB', `${header}.${payload}.${'A'.repeat(1024 * 1024)}`],
    ['1 MB of dots', '.'.repeat(1024 * 1024)],
    ['100,000 deep', `${encode('['.repeat(100_000))}.${payload}.${signature}`],
    ['unpaired surrogate', `${token}\ud800`],
  ]
  return [...flips, ...characters, ...others.map(([name, t]) => ({ name, token: t }))].map(
    each => ({
      ...each,
      reasons: FORM,
    }),
  )
}

function nextCharacter(character: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return alphabet[alphabet.indexOf(character) + 1] ?? 'A'
}

/** Made without our private key. */
function forged({ token, kid, publicKey }: HostileTokenSource): HostileToken[] {
  const payload = token.split('.')[1] ?? ''
  const none = ['none', 'None', 'NONE', 'nOnE'].flatMap(alg => [
    { name: `alg ${alg}`, token: `${encode({ alg, typ: 'at+jwt', kid })}.${payload}.` },
    { name: `alg ${alg}, signed`, token: `${encode({ alg, typ: 'at+jwt' })}.${payload}.AAAA` },
  ])
  const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString()
  const jwk = publicKey.export({ format: 'jwk' })
  const raw = Buffer.from(jwk.x ?? '', 'base64url')
  const secrets: Record<string, string | Buffer> = {
    PEM: pem,
    'PEM with no newline': pem.trimEnd(),
    'PEM with a space': `${pem} `,
    'JWK JSON': JSON.stringify(jwk),
    'raw bytes': raw,
    hex: raw.toString('hex'),
    base64: raw.toString('base64'),
    empty: '',
  }
  const confused = Object.entries(secrets).flatMap(([name, secret]) =>
    ['256', '384', '512'].map(bits => {
      const input = `${encode({ alg: `HS${bits}`, typ: 'at+jwt', kid })}.${payload}`
      const mac = createHmac(`sha${bits}`, secret).update(input).digest('base64url')
      return { name: `HS${bits} with our public key as ${name}`, token: `${input}.${mac}` }
    }),
  )
  const stranger = generateKeyPairSync('ed25519').privateKey
  const strange = { name: "a stranger's key under our kid", token: resign(token, stranger) }
  return [...none, ...confused, strange].map(each => ({ ...each, reasons: SIGNATURE }))
}

function resign(token: string, privateKey: KeyObject): string {
  const input = token.slice(0, token.lastIndexOf('.'))
  return `${input}.${sign(null, Buffer.from(input), privateKey).toString('base64url')}`
}

/** Signed by our own key, under a header that is not the one we write. */
function headers({ token, kid, publicKey, privateKey }: HostileTokenSource): HostileToken[] {
  const jwk = publicKey.export({ format: 'jwk' })
  const listener = 'http://127.0.0.1:9/key'
  const good = { alg: 'EdDSA', typ: 'at+jwt', kid }
  const list: [string, unknown][] = [
    ['alg missing', { typ: 'at+jwt', kid }],
    ['alg an array', { ...good, alg: ['EdDSA'] }],
    ['alg with a space', { ...good, alg: 'EdDSA ' }],
    ['alg in lower case', { ...good, alg: 'eddsa' }],
    ['alg ES256', { ...good, alg: 'ES256' }],
    ['kid missing', { alg: 'EdDSA', typ: 'at+jwt' }],
    ['kid a number', { ...good, kid: 1 }],
    ['kid an object', { ...good, kid: { $ne: null } }],
    ['kid SQL', { ...good, kid: "x' OR '1'='1" }],
    ['kid a path', { ...good, kid: '../../../../dev/null' }],
    ['kid __proto__', { ...good, kid: '__proto__' }],
    ['kid constructor', { ...good, kid: 'constructor' }],
    ['kid of 64 KB', { ...good, kid: 'k'.repeat(65_536) }],
    ['kid unknown', { ...good, kid: 'A'.repeat(43) }],
    ['jku', { ...good, jku: listener }],
    ['x5u', { ...good, x5u: listener }],
    ['jwk', { ...good, jwk }],
    ['crit unknown', { ...good, crit: ['exp'] }],
    ['crit empty', { ...good, crit: [] }],
    ['b64 false', { ...good, b64: false, crit: ['b64'] }],
    ['zip', { ...good, zip: 'DEF' }],
    ['typ missing', { alg: 'EdDSA', kid }],
    ...['JWT', 'rt+jwt', 'secevent+jwt', 'logout+jwt', 'id_token', 'AT+JWT ', 'at'].map(
      (typ): [string, unknown] => [`typ ${typ}`, { ...good, typ }],
    ),
    ['an array', [good]],
    ['a string', '"EdDSA"'],
    ['not JSON', '{alg'],
    ['members twice', `{"alg":"none","alg":"EdDSA","typ":"at+jwt","kid":"${kid}"}`],
    ['a space more', `{"alg":"EdDSA", "typ":"at+jwt","kid":"${kid}"}`],
  ]
  const payload = token.split('.')[1] ?? ''
  return list.map(([name, header]) => ({
    name: `header: ${name}`,
    token: resign(`${encode(header)}.${payload}.`, privateKey),
    reasons: FORM,
  }))
}

/** Signed by our own key, under our own header: only the claims are wrong. */
function claims({ token, privateKey }: HostileTokenSource): HostileToken[] {
  const [header = '', payload = ''] = token.split('.')
  const text = Buffer.from(payload, 'base64url').toString()
  const good: Record<string, unknown> = JSON.parse(text)
  const now = Math.floor(Date.now() / 1000)
  const mint = (name: string, reason: string, body: unknown): HostileToken => ({
    name: `claims: ${name}`,
    token: resign(`${header}.${encode(body)}.`, privateKey),
    reasons: [reason],
  })
  const without = (claim: string) =>
    Object.fromEntries(Object.entries(good).filter(([name]) => name !== claim))
  const issuer = String(good.iss)
  return [
    ...Object.keys(good).map(claim => mint(`${claim} missing`, 'malformed', without(claim))),
    ...[null, [], {}, 'x', true].flatMap(value =>
      ['sub', 'sid', 'exp', 'iat', 'iss', 'aud', 'tenant_id', 'gen'].map(claim =>
        typeof value === 'string' && typeof good[claim] === 'string'
          ? null
          : mint(`${claim} = ${JSON.stringify(value)}`, 'malformed', { ...good, [claim]: value }),
      ),
    ),
    ...['exp', 'iat', 'auth_time'].flatMap(claim => [
      mint(`${claim} a string`, 'malformed', { ...good, [claim]: String(now + 600) }),
      mint(`${claim} a float`, 'malformed', { ...good, [claim]: now + 0.5 }),
      mint(`${claim} negative`, 'malformed', { ...good, [claim]: -1 }),
      mint(`${claim} 1e308`, 'malformed', { ...good, [claim]: 1e308 }),
    ]),
    mint('exp now', 'expired', { ...good, exp: now }),
    mint('exp a second ago', 'expired', { ...good, exp: now - 1 }),
    mint('exp zero', 'expired', { ...good, exp: 0 }),
    mint('iat in an hour', 'not_yet_valid', { ...good, iat: now + 3_600, exp: now + 7_200 }),
    mint('nbf in an hour', 'not_yet_valid', { ...good, nbf: now + 3_600 }),
    mint('nbf a string', 'not_yet_valid', { ...good, nbf: 'x' }),
    mint('iss of another tenant', 'issuer_invalid', { ...good, iss: issuer.replace(/.$/, 'X') }),
    mint('iss a prefix', 'issuer_invalid', { ...good, iss: issuer.slice(0, -1) }),
    mint('iss with a suffix', 'issuer_invalid', { ...good, iss: `${issuer}/` }),
    mint('aud wrong', 'audience_invalid', { ...good, aud: 'other' }),
    mint('aud in another case', 'audience_invalid', {
      ...good,
      aud: String(good.aud).toLowerCase(),
    }),
    mint('aud an array with ours second', 'malformed', { ...good, aud: ['other', good.aud] }),
    mint('a claim twice', 'malformed', text.replace('{', '{"sub":"admin",')),
    mint('a claim twice, last', 'malformed', text.replace(/}$/, ',"sub":"admin"}')),
    mint('a space more', 'malformed', text.replace(',', ', ')),
    mint('__proto__', 'malformed', text.replace('{', '{"__proto__":{"sub":"admin"},')),
    mint('an array', 'malformed', [good]),
    mint('a string', 'malformed', '"x"'),
    mint('null', 'malformed', 'null'),
    mint('empty', 'malformed', '{}'),
    mint('not JSON', 'malformed', '{'),
    mint('100,000 deep', 'malformed', '['.repeat(2_000)),
  ].filter(each => each !== null)
}
