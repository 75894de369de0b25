/**
 * Base64url with no padding and no spare bits: each value has exactly one spelling.
 *
 * @returns null for anything else.
 */
export function decodeBase64url(text: string): Uint8Array<ArrayBuffer> | null {
  const bytes = new Uint8Array(decodedLength(text))
  return decodeInto(text, bytes) === -1 ? null : bytes
}

/** The same as UTF-8. A byte order mark is a character like any other: the API does not skip it. */
export function decodeBase64urlText(text: string): string | null {
  if (decodedLength(text) > scratch.length) return null
  const length = decodeInto(text, scratch)
  return length === -1 ? null : utf8.decode(scratch.subarray(0, length))
}

/** The text has characters up to U+00FF only. */
export function encodeBase64url(text: string): string {
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

/** As long as a token may be. Used within one call: an array for each costs more than to decode. */
const scratch = new Uint8Array(4096)
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

const decodedLength = (text: string): number => Math.floor((text.length * 3) / 4)

/** @returns how many bytes there are, or -1. */
function decodeInto(text: string, bytes: Uint8Array): number {
  const { length } = text
  const spare = length % 4
  if (length === 0 || spare === 1) return -1
  const whole = length - spare
  let at = 0
  // All codes and all values by OR: one look in the end tells whether any was out of range.
  let codes = 0
  let values = 0
  for (let i = 0; i < whole; i += 4) {
    const codeA = text.charCodeAt(i)
    const codeB = text.charCodeAt(i + 1)
    const codeC = text.charCodeAt(i + 2)
    const codeD = text.charCodeAt(i + 3)
    const a = sextet(codeA)
    const b = sextet(codeB)
    const c = sextet(codeC)
    const d = sextet(codeD)
    codes |= codeA | codeB | codeC | codeD
    values |= a | b | c | d
    bytes[at++] = (a << 2) | (b >> 4)
    bytes[at++] = (b << 4) | (c >> 2)
    bytes[at++] = (c << 6) | d
  }
  if (spare > 0) {
    const codeA = text.charCodeAt(whole)
    const codeB = text.charCodeAt(whole + 1)
    const codeC = spare === 3 ? text.charCodeAt(whole + 2) : A
    const a = sextet(codeA)
    const b = sextet(codeB)
    const c = sextet(codeC)
    codes |= codeA | codeB | codeC
    values |= a | b | c
    bytes[at++] = (a << 2) | (b >> 4)
    if (spare === 3) bytes[at++] = (b << 4) | (c >> 2)
    if (((spare === 3 ? c << 6 : b << 4) & 0xff) !== 0) return -1
  }
  return codes > 0x7f || values > 63 ? -1 : at
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const NONE = 64
const SEXTETS = new Uint8Array(128).fill(NONE)
for (let value = 0; value < ALPHABET.length; value++) SEXTETS[ALPHABET.charCodeAt(value)] = value

const A = ALPHABET.charCodeAt(0)

/** Above 63 for a character that is none; of codes beyond ASCII by what is left of them. */
const sextet = (code: number): number => SEXTETS[code & 0x7f] as number
