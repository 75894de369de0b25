import type { Keyring, TokenKey } from '../signing-keys/keyring.ts'

/** The claims of an access token: RFC 9068, and what Sesame adds. Times are in seconds. */
export interface AccessTokenClaims {
  iss: string
  aud: string
  sub: string
  sid: string
  jti: string
  iat: number
  exp: number
  auth_time: number
  tenant_id: string
  org_id: string | null
  role: string | null
  amr: string[]
  mfa_verified: boolean
  client_id: string | null
  /** The generation the session was created in: which bulk revokes it came after. */
  gen: number
}

/** Why a token is refused before anything is asked about its session. */
export type TokenRefusal =
  | 'malformed'
  | 'signature_invalid'
  | 'issuer_invalid'
  | 'audience_invalid'
  | 'expired'
  | 'not_yet_valid'

export type TokenVerdict =
  | { valid: true; claims: AccessTokenClaims }
  | { valid: false; reason: TokenRefusal }

export interface ExpectedToken {
  issuer: string
  audience: string
  nowMs: number
}

/** Longer than any token that Sesame makes: 128-character ids and a role fit in 3 KB. */
export const MAX_TOKEN_LENGTH = 4096
/** Leeway for clocks that differ, on `iat` and `nbf`; never on `exp`. */
const CLOCK_LEEWAY_SECONDS = 60
const SIGNATURE_BYTES = 64
const SIGNATURE_LENGTH = 86

/** Signs with the tenant's current key. Null when the tenant has none. */
export function signAccessToken(
  keyring: Keyring,
  claims: AccessTokenClaims,
  nowMs: number,
): string | null {
  const key = keyring.signer(nowMs)
  if (key === null) return null
  const payload = Buffer.from(JSON.stringify(claims)).toString('base64url')
  const signingInput = `${key.headerSegment}.${payload}`
  return `${signingInput}.${key.sign(signingInput).toString('base64url')}`
}

/**
 * Checks the signature and the claims that never change, in the order of RFC 8725. The key is found
 * by the whole encoded header, so nothing in the token chooses an algorithm or a key: a header that
 * is not, byte for byte, one that we sign with has no key. Time is not checked here (see
 * `checkTimes`), so the answer may be kept.
 */
export function authenticateToken(
  keyring: Keyring,
  token: string,
  { issuer, audience, nowMs }: ExpectedToken,
): TokenVerdict {
  if (token.length > MAX_TOKEN_LENGTH) return refuse('malformed')
  const headerEnd = token.indexOf('.')
  const payloadEnd = token.indexOf('.', headerEnd + 1)
  if (headerEnd < 1 || payloadEnd < headerEnd + 2) return refuse('malformed')
  const signaturePart = token.slice(payloadEnd + 1)
  const headerPart = token.slice(0, headerEnd)
  const payloadPart = token.slice(headerEnd + 1, payloadEnd)

  const key = keyring.findByHeader(headerPart, nowMs)
  if (key === null) return refuse(classifyForeignHeader(headerPart, payloadPart, signaturePart))
  const signature = decodeSegment(signaturePart)
  const payload = decodeSegment(payloadPart)
  if (signature === null || payload === null) return refuse('malformed')
  if (signaturePart.length !== SIGNATURE_LENGTH || signature.length !== SIGNATURE_BYTES)
    return refuse('signature_invalid')
  if (!key.verify(token.slice(0, payloadEnd), signature)) return refuse('signature_invalid')

  const claims = parseClaims(payload.toString())
  if (claims === null) return refuse('malformed')
  if (claims.iss !== issuer) return refuse('issuer_invalid')
  if (claims.aud !== audience) return refuse('audience_invalid')
  return { valid: true, claims }
}

/** The key that a token says it was signed with; null where it is none of the tenant's. */
export function keyOf(keyring: Keyring, token: string, nowMs: number): TokenKey | null {
  const headerEnd = token.indexOf('.')
  return headerEnd < 1 ? null : keyring.findByHeader(token.slice(0, headerEnd), nowMs)
}

/** Null when the token is good now. `exp` has no leeway: a token ends when it says. */
export function checkTimes(claims: AccessTokenClaims, nowMs: number): TokenRefusal | null {
  const nowSeconds = nowMs / 1000
  if (claims.exp <= nowSeconds) return 'expired'
  if (claims.iat > nowSeconds + CLOCK_LEEWAY_SECONDS) return 'not_yet_valid'
  const nbf = (claims as { nbf?: unknown }).nbf
  if (nbf !== undefined && !(typeof nbf === 'number' && nbf <= nowSeconds + CLOCK_LEEWAY_SECONDS))
    return 'not_yet_valid'
  return null
}

const refuse = (reason: TokenRefusal): TokenVerdict => ({ valid: false, reason })

/** Base64url with no padding and no spare bits: each value has exactly one spelling. */
function decodeSegment(segment: string): Buffer | null {
  if (segment === '') return null
  const bytes = Buffer.from(segment, 'base64url')
  return bytes.toString('base64url') === segment ? bytes : null
}

/**
 * A header that is none of ours: is it a well-formed access token of somebody else (its signature
 * can't be good here), or not one at all? Decides only the reason, never the verdict. What the claims
 * say is not looked at, as with every signature that is not good (RFC 7519, 7.2).
 */
function classifyForeignHeader(header: string, payload: string, signature: string): TokenRefusal {
  const isToken =
    isForeignHeader(header) &&
    decodeSegment(payload) !== null &&
    (signature === '' || decodeSegment(signature) !== null)
  return isToken ? 'signature_invalid' : 'malformed'
}

/** Answers already given: whoever brings foreign tokens brings many with one header. */
const knownForeign = new Map<string, boolean>()
const MAX_KNOWN_FOREIGN = 1_000
const MAX_KNOWN_LENGTH = 256

function isForeignHeader(header: string): boolean {
  const known = knownForeign.get(header)
  if (known !== undefined) return known
  const bytes = decodeSegment(header)
  const fields = bytes === null ? null : parseObject(bytes.toString())
  const isHeader = fields !== null && typeof fields.alg === 'string' && fields.crit === undefined
  if (header.length <= MAX_KNOWN_LENGTH) {
    if (knownForeign.size >= MAX_KNOWN_FOREIGN) knownForeign.clear()
    knownForeign.set(header, isHeader)
  }
  return isHeader
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null
  } catch {
    return null
  }
}

/**
 * Only claims written exactly as we write them: `JSON.stringify` of what was parsed must give the
 * same text, so there is no duplicate member, no spare space and no second spelling of a number.
 */
function parseClaims(text: string): AccessTokenClaims | null {
  const value = parseObject(text)
  if (value === null || Object.hasOwn(value, '__proto__')) return null
  if (JSON.stringify(value) !== text) return null
  return isClaims(value) ? value : null
}

function isClaims(
  value: Record<string, unknown>,
): value is Record<string, unknown> & AccessTokenClaims {
  return (
    STRING_CLAIMS.every(name => typeof value[name] === 'string') &&
    SECONDS_CLAIMS.every(name => isSeconds(value[name])) &&
    NULLABLE_CLAIMS.every(name => value[name] === null || typeof value[name] === 'string') &&
    typeof value.mfa_verified === 'boolean' &&
    Array.isArray(value.amr) &&
    value.amr.every(method => typeof method === 'string')
  )
}

/** The last second that a `Date` can hold. */
const MAX_SECONDS = 8_640_000_000_000

const isSeconds = (value: unknown): boolean =>
  Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= MAX_SECONDS

const STRING_CLAIMS = ['iss', 'aud', 'sub', 'sid', 'jti', 'tenant_id']
const SECONDS_CLAIMS = ['iat', 'exp', 'auth_time', 'gen']
const NULLABLE_CLAIMS = ['org_id', 'role', 'client_id']
