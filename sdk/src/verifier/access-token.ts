import { decodeBase64url, decodeBase64urlText } from './base64url.ts'
import type { SigningKey } from './signing-key.ts'
import type { TokenInvalidReason } from './verification.ts'

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

/** The three parts, and the header's own text when it may be ours. */
export interface TokenParts {
  token: string
  header: string
  /** Header and payload with the dot between: what is signed. */
  signingInput: string
  payload: string
  signature: string
}

export interface ExpectedToken {
  issuer: string
  audience: string
}

export type TokenVerdict =
  | { valid: true; claims: AccessTokenClaims }
  | { valid: false; reason: TokenInvalidReason }

/** Longer than any token that Sesame makes. */
const MAX_TOKEN_LENGTH = 4096
/** Leeway for clocks that differ, on `iat` and `nbf`; never on `exp`. */
const CLOCK_LEEWAY_SECONDS = 60
const SIGNATURE_LENGTH = 86

/** Null for what is no compact JWS at all. */
export function splitToken(token: unknown): TokenParts | null {
  if (typeof token !== 'string' || token.length > MAX_TOKEN_LENGTH) return null
  const headerEnd = token.indexOf('.')
  const payloadEnd = token.indexOf('.', headerEnd + 1)
  if (headerEnd < 1 || payloadEnd < headerEnd + 2) return null
  return {
    token,
    header: token.slice(0, headerEnd),
    signingInput: token.slice(0, payloadEnd),
    payload: token.slice(headerEnd + 1, payloadEnd),
    signature: token.slice(payloadEnd + 1),
  }
}

/**
 * Checks the signature and the claims that never change, in the order of RFC 8725: the same steps, in
 * the same order, with the same answers as the API. Time is not checked here (see `checkTimes`), so
 * the answer may be kept.
 */
export function authenticateToken(
  parts: TokenParts,
  key: SigningKey,
  expected: ExpectedToken,
): TokenVerdict | Promise<TokenVerdict> {
  const signature = decodeBase64url(parts.signature)
  const payload = decodeBase64urlText(parts.payload)
  if (signature === null || payload === null) return refuse('malformed')
  if (parts.signature.length !== SIGNATURE_LENGTH) return refuse('signature_invalid')
  const isGood = key.verify(parts, signature)
  return typeof isGood === 'boolean'
    ? judge(isGood, payload, expected)
    : isGood.then(good => judge(good, payload, expected))
}

function judge(isGood: boolean, payload: string, expected: ExpectedToken): TokenVerdict {
  if (!isGood) return refuse('signature_invalid')
  const claims = parseClaims(payload)
  if (claims === null) return refuse('malformed')
  if (claims.iss !== expected.issuer) return refuse('issuer_invalid')
  if (claims.aud !== expected.audience) return refuse('audience_invalid')
  return { valid: true, claims }
}

/** Null when the token is good now. `exp` has no leeway: a token ends when it says. */
export function checkTimes(claims: AccessTokenClaims, nowMs: number): TokenInvalidReason | null {
  const nowSeconds = nowMs / 1000
  if (claims.exp <= nowSeconds) return 'expired'
  if (claims.iat > nowSeconds + CLOCK_LEEWAY_SECONDS) return 'not_yet_valid'
  const nbf = (claims as { nbf?: unknown }).nbf
  if (nbf !== undefined && !(typeof nbf === 'number' && nbf <= nowSeconds + CLOCK_LEEWAY_SECONDS))
    return 'not_yet_valid'
  return null
}

/**
 * A header that no key of ours writes: is it a well-formed access token of somebody else (its
 * signature can't be good here), or not one at all? Decides only the reason, never the verdict. What
 * the claims say is not looked at, as with every signature that is not good (RFC 7519, 7.2).
 */
export function classifyForeignToken(parts: TokenParts): TokenInvalidReason {
  const header = decodeBase64urlText(parts.header)
  if (header === null || decodeBase64url(parts.payload) === null) return 'malformed'
  if (parts.signature !== '' && decodeBase64url(parts.signature) === null) return 'malformed'
  const fields = parseObject(header)
  if (fields === null || typeof fields.alg !== 'string' || fields.crit !== undefined)
    return 'malformed'
  return 'signature_invalid'
}

/**
 * Whether a newer JWK set could hold the key: the header is one that Sesame writes but for its `kid`,
 * and the token says that it is of this issuer. All else is refused with no look at the set.
 */
export function mayBeOfUnknownKey(parts: TokenParts, issuer: string): boolean {
  if (parts.signature.length !== SIGNATURE_LENGTH) return false
  const header = decodeBase64urlText(parts.header)
  const payload = decodeBase64urlText(parts.payload)
  if (header === null || payload === null || !OUR_HEADER.test(header)) return false
  return parseObject(payload)?.iss === issuer
}

const OUR_HEADER = /^\{"alg":"(?:EdDSA|Ed25519)","typ":"at\+jwt","kid":"[A-Za-z0-9_-]{43}"\}$/

const refuse = (reason: TokenInvalidReason): TokenVerdict => ({ valid: false, reason })

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
 * Only claims written exactly as Sesame writes them: `JSON.stringify` of what was parsed must give
 * the same text, so there is no duplicate member, no spare space and no second spelling of a number.
 */
function parseClaims(text: string): AccessTokenClaims | null {
  const value = parseObject(text)
  if (value === null || Object.hasOwn(value, '__proto__')) return null
  if (JSON.stringify(value) !== text) return null
  return isClaims(value) ? value : null
}

/** Spelled out: this runs for each token that is new, and a loop over names takes twice as long. */
function isClaims(
  value: Record<string, unknown>,
): value is Record<string, unknown> & AccessTokenClaims {
  const { iss, aud, sub, sid, jti, iat, exp, auth_time, tenant_id, amr, gen } = value
  const areTexts =
    typeof iss === 'string' &&
    typeof aud === 'string' &&
    typeof sub === 'string' &&
    typeof sid === 'string' &&
    typeof jti === 'string' &&
    typeof tenant_id === 'string'
  return (
    areTexts &&
    isSeconds(iat) &&
    isSeconds(exp) &&
    isSeconds(auth_time) &&
    isSeconds(gen) &&
    isTextOrNull(value.org_id) &&
    isTextOrNull(value.role) &&
    isTextOrNull(value.client_id) &&
    typeof value.mfa_verified === 'boolean' &&
    Array.isArray(amr) &&
    amr.every(method => typeof method === 'string')
  )
}

const isTextOrNull = (value: unknown): boolean => value === null || typeof value === 'string'

/** The last second that a `Date` can hold. */
const MAX_SECONDS = 8_640_000_000_000

const isSeconds = (value: unknown): boolean =>
  Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= MAX_SECONDS
