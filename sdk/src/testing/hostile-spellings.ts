import { base64url } from 'jose'
import { encodeSegment } from './encoding.ts'
import type { HostileToken, HostileTokenSource } from './hostile-tokens.ts'

/** A good token with something about its text changed. */
export function alteredTokens({ token }: HostileTokenSource): HostileToken[] {
  const all = [...flippedBits(token), ...changedCharacters(token), ...otherSpellings(token)]
  return all.map(each => ({ ...each, reasons: ['malformed', 'signature_invalid'] }))
}

type Altered = Pick<HostileToken, 'name' | 'token'>

/** Each bit of what the three parts say. */
function flippedBits(token: string): Altered[] {
  const parts = token.split('.')
  return ['header', 'payload', 'signature'].flatMap((name, at) => {
    const bytes = base64url.decode(parts[at] ?? '')
    return Array.from({ length: bytes.length * 8 }, (_, bit) => {
      const flipped = bytes.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
      return {
        name: `${name} bit ${bit}`,
        token: parts.with(at, base64url.encode(flipped)).join('.'),
      }
    })
  })
}

function changedCharacters(token: string): Altered[] {
  return Array.from({ length: token.length }, (_, at) => ({
    name: `character ${at}`,
    token: token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1),
  }))
}

function otherSpellings(token: string): Altered[] {
  const [header = '', payload = '', signature = ''] = token.split('.')
  const input = `${header}.${payload}`
  const signed = base64url.decode(signature)
  const withSignature = (bytes: Uint8Array): string => `${input}.${base64url.encode(bytes)}`
  const spellings: Record<string, string> = {
    empty: '',
    'one dot': '.',
    'two dots': '..',
    'three dots': '...',
    'no signature': `${input}.`,
    'no payload': `${header}..${signature}`,
    'no header': `.${payload}.${signature}`,
    'two parts': input,
    'four parts': `${token}.${signature}`,
    'four parts, the last empty': `${token}.`,
    'a dot in front': `.${token}`,
    'five parts, a JWE': `${token}.${signature}.${signature}`,
    'truncated signature': token.slice(0, -4),
    'a byte less of signature': withSignature(signed.subarray(0, -1)),
    'a byte more of signature': withSignature(Uint8Array.of(...signed, 0)),
    'doubled signature': token + signature,
    'signature with S + L': withSignature(withOtherS(signed)),
    'signature of zeros': withSignature(new Uint8Array(64)),
    'signature of ones': withSignature(new Uint8Array(64).fill(0xff)),
    'signature of the identity, S = 0': withSignature(new Uint8Array(64).fill(1, 0, 1)),
    'parts swapped': `${payload}.${header}.${signature}`,
    'payload of an empty object': `${header}.${encodeSegment('{}')}.${signature}`,
    'non-canonical last character': token.slice(0, -1) + nextCharacter(token.at(-1) ?? 'A'),
    padding: `${token}=`,
    'double padding': `${token}==`,
    'padding of the header': `${header}=.${payload}.${signature}`,
    'trailing newline': `${token}\n`,
    'trailing carriage return': `${token}\r`,
    'a newline inside': `${header}.\n${payload}.${signature}`,
    'leading space': ` ${token}`,
    'trailing space': `${token} `,
    'trailing tab': `${token}\t`,
    'leading byte-order mark': `\ufeff${token}`,
    'a zero-width space inside': `${header}.\u200b${payload}.${signature}`,
    'full-width dots': token.replaceAll('.', '\uff0e'),
    'trailing NUL': `${token}\0`,
    'in quotes': `"${token}"`,
    'percent-encoded dots': token.replaceAll('.', '%2E'),
    'in upper case': token.toUpperCase(),
    'Bearer in front': `Bearer ${token}`,
    'twice, with a comma': `${token},${token}`,
    'plain base64': `${token.replaceAll('-', '+').replaceAll('_', '/')}+/`,
    'JSON serialisation': JSON.stringify({ protected: header, payload, signature }),
    'general JSON serialisation': JSON.stringify({
      payload,
      signatures: [{ protected: header, signature }],
    }),
    '1 MB': `${input}.${'A'.repeat(1024 * 1024)}`,
    '1 MB of dots': '.'.repeat(1024 * 1024),
    '100,000 deep': `${encodeSegment('['.repeat(100_000))}.${payload}.${signature}`,
    'unpaired surrogate': `${token}\ud800`,
  }
  return Object.entries(spellings).map(([name, text]) => ({ name, token: text }))
}

/** Ed25519 signatures are (R, S), little-endian; S + L is the other spelling of S. */
function withOtherS(signature: Uint8Array): Uint8Array {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n
  const s = signature.subarray(32).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n)
  const other = Uint8Array.from(signature)
  for (let at = 0; at < 32; at++) other[32 + at] = Number(((s + order) >> BigInt(8 * at)) & 0xffn)
  return other
}

function nextCharacter(character: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return alphabet[alphabet.indexOf(character) + 1] ?? 'A'
}
