import { base64url, type CryptoKey } from 'jose'

/** A part of a token: text as it is, anything else as JSON. */
export const encodeSegment = (value: unknown): string =>
  base64url.encode(typeof value === 'string' ? value : JSON.stringify(value))

export const decodeText = (segment: string): string =>
  new TextDecoder().decode(base64url.decode(segment))

/** Signs `header.payload` with an Ed25519 key, and gives the whole token. */
export async function signSegments(signingInput: string, privateKey: CryptoKey): Promise<string> {
  const bytes = new TextEncoder().encode(signingInput)
  const signature = await crypto.subtle.sign('Ed25519', privateKey, bytes)
  return `${signingInput}.${base64url.encode(new Uint8Array(signature))}`
}

/** The same header and payload under another signature. */
export const resign = (token: string, privateKey: CryptoKey): Promise<string> =>
  signSegments(token.slice(0, token.lastIndexOf('.')), privateKey)
