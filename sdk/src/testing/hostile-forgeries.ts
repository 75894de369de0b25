import { base64url } from 'jose'
import { encodeSegment, resign, signSegments } from './encoding.ts'
import type { HostileToken, HostileTokenSource, SigningJwk } from './hostile-tokens.ts'
import { createSigningKey } from './signing-key.ts'

/** Made without the tenant's private key. */
export async function forgedTokens(source: HostileTokenSource): Promise<HostileToken[]> {
  const groups = await Promise.all([unsigned(source), confused(source), byStrangers(source)])
  return groups.flat().map(each => ({ ...each, reasons: ['signature_invalid', 'malformed'] }))
}

type Forged = Pick<HostileToken, 'name' | 'token'>

function unsigned({ token, publicJwk }: HostileTokenSource): Forged[] {
  const [, payload, signature] = token.split('.')
  const header = (alg: string) => encodeSegment({ alg, typ: 'at+jwt', kid: publicJwk.kid })
  return ['none', 'None', 'NONE', 'nOnE'].flatMap(alg => [
    { name: `alg ${alg}`, token: `${header(alg)}.${payload}.` },
    { name: `alg ${alg}, our signature`, token: `${header(alg)}.${payload}.${signature}` },
    {
      name: `alg ${alg}, signed`,
      token: `${encodeSegment({ alg, typ: 'at+jwt' })}.${payload}.AAAA`,
    },
  ])
}

/** HMAC under what everybody knows: our public key, in each form a library may take it. */
function confused({ token, publicJwk }: HostileTokenSource): Promise<Forged[]> {
  const payload = token.split('.')[1] ?? ''
  const secrets = Object.entries(knownSecrets(publicJwk))
  const forge = async (name: string, secret: Uint8Array<ArrayBuffer>, bits: number) => {
    const header = { alg: `HS${bits}`, typ: 'at+jwt', kid: publicJwk.kid }
    const input = `${encodeSegment(header)}.${payload}`
    const mac = await hmac(`SHA-${bits}`, secret, input)
    return { name: `HS${bits} with our public key as ${name}`, token: `${input}.${mac}` }
  }
  return Promise.all(
    secrets.flatMap(([name, secret]) => [256, 384, 512].map(bits => forge(name, secret, bits))),
  )
}

function knownSecrets({ kty, crv, x }: SigningJwk): Record<string, Uint8Array<ArrayBuffer>> {
  const raw = Uint8Array.from(base64url.decode(x))
  const spki = Uint8Array.of(...SPKI_PREFIX, ...raw)
  const pem = `-----BEGIN PUBLIC KEY-----\n${toBase64(spki)}\n-----END PUBLIC KEY-----\n`
  const text = (value: string) => Uint8Array.from(new TextEncoder().encode(value))
  return {
    PEM: text(pem),
    'PEM with no newline': text(pem.trimEnd()),
    'PEM with a space': text(`${pem} `),
    SPKI: spki,
    'JWK JSON': text(JSON.stringify({ crv, x, kty })),
    'JWK JSON, kty first': text(JSON.stringify({ kty, crv, x })),
    'raw bytes': raw,
    hex: text(Array.from(raw, byte => byte.toString(16).padStart(2, '0')).join('')),
    base64: text(toBase64(raw)),
    base64url: text(x),
    // WebCrypto takes no empty key; HMAC fills a key up with zeros, so one zero is the same key.
    empty: Uint8Array.of(0),
  }
}

/** What DER puts before the 32 bytes of an Ed25519 public key (RFC 8410). */
const SPKI_PREFIX = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00]

const toBase64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes))

async function hmac(hash: string, secret: Uint8Array<ArrayBuffer>, input: string): Promise<string> {
  const key = await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash }, false, ['sign'])
  const mac = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(input))
  return base64url.encode(new Uint8Array(mac))
}

/** Well made, by a key that is not the tenant's. */
async function byStrangers({ token, listenerUrl }: HostileTokenSource): Promise<Forged[]> {
  const { privateKey, publicJwk } = await createSigningKey()
  const { kid, ...jwk } = publicJwk
  const payload = token.split('.')[1] ?? ''
  const by = (fields: object) =>
    signSegments(
      `${encodeSegment({ alg: 'EdDSA', typ: 'at+jwt', ...fields })}.${payload}`,
      privateKey,
    )
  const at = listenerUrl ?? 'http://127.0.0.1:9/key'
  return [
    { name: "a stranger's key under our kid", token: await resign(token, privateKey) },
    { name: "a stranger's key under its own kid", token: await by({ kid }) },
    { name: "a stranger's key with no kid", token: await by({}) },
    { name: "a stranger's key, carried as jwk", token: await by({ kid, jwk }) },
    { name: "a stranger's key, carried as jwk alone", token: await by({ jwk }) },
    { name: "a stranger's key, pointed at by jku", token: await by({ kid, jku: at }) },
    { name: "a stranger's key, pointed at by x5u", token: await by({ kid, x5u: at }) },
    { name: "a stranger's key, named Ed25519", token: await by({ kid, alg: 'Ed25519' }) },
  ]
}
