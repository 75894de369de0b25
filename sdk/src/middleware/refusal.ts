import type { InvalidReason } from '../verifier/verification.ts'

/** The codes of what the middlewares answer by themselves. */
export type RefusalCode =
  | 'access_token_missing'
  | 'access_token_invalid'
  | 'authorization_repeated'
  | 'role_missing'
  | 'mfa_missing'
  | 'authentication_too_old'
  | 'verification_unavailable'
  | 'internal_error'

/** An answer that is ready to be sent. Nothing in it was said by the caller. */
export interface Refusal {
  status: number
  code: RefusalCode
  /** Why the token is refused: `session_revoked`, `expired`, … */
  reason: InvalidReason | null
  headers: Record<string, string>
  /** A problem document (RFC 9457) as JSON. */
  body: string
}

interface Kind {
  status: number
  title: string
  /** `error` of the challenge (RFC 6750, 3.1; RFC 9470, 3). */
  error?: string
}

const KINDS: Record<RefusalCode, Kind> = {
  // RFC 6750, 3.1: a request that did not try to authenticate is told no error code.
  access_token_missing: { status: 401, title: 'The request has no access token' },
  access_token_invalid: {
    status: 401,
    title: 'The access token is not valid',
    error: 'invalid_token',
  },
  authorization_repeated: {
    status: 400,
    title: 'The request authenticates more than once',
    error: 'invalid_request',
  },
  role_missing: {
    status: 403,
    title: 'The session has no role that may do this',
    error: 'insufficient_scope',
  },
  mfa_missing: {
    status: 401,
    title: 'This needs a second factor',
    error: 'insufficient_user_authentication',
  },
  authentication_too_old: {
    status: 401,
    title: 'This needs a more recent sign-in',
    error: 'insufficient_user_authentication',
  },
  verification_unavailable: {
    status: 503,
    title: 'The access token cannot be checked for the moment',
  },
  internal_error: { status: 500, title: 'Something went wrong' },
}

const RETRY_AFTER_SECONDS = 2

export interface RefusalDetails {
  realm: string
  reason?: InvalidReason
  /** More of the challenge, such as `max_age`. */
  parameters?: Record<string, string>
}

export function createRefusal(code: RefusalCode, details: RefusalDetails): Refusal {
  const { status, title, error } = KINDS[code]
  const { realm, reason = null, parameters = {} } = details
  const detail = reason === null ? DETAILS[code] : REASONS[reason]
  const challenge = {
    realm,
    ...(error !== undefined && { error, error_description: detail }),
    ...parameters,
  }
  return {
    status,
    code,
    reason,
    headers: {
      'content-type': 'application/problem+json; charset=utf-8',
      'cache-control': 'no-store',
      ...(status === 503 && { 'retry-after': String(RETRY_AFTER_SECONDS) }),
      ...(status < 500 && { 'www-authenticate': toChallenge(challenge) }),
    },
    body: JSON.stringify({
      type: `urn:sesame:problem:${code}`,
      title,
      status,
      code,
      detail,
      ...(reason !== null && { reason }),
    }),
  }
}

// Each value is text of ours, or checked by `readOptions`: there is nothing to escape.
const toChallenge = (parameters: Record<string, string>): string =>
  `Bearer ${Object.entries(parameters)
    .map(([name, value]) => `${name}="${value}"`)
    .join(', ')}`

const DETAILS: Record<RefusalCode, string> = {
  access_token_missing: 'Send an access token as Authorization: Bearer.',
  access_token_invalid: 'The access token is not valid.',
  authorization_repeated: 'Send one Authorization header with one access token.',
  role_missing: 'The role of the session does not allow this.',
  mfa_missing: 'The user must sign in with a second factor.',
  authentication_too_old: 'The user must sign in again.',
  verification_unavailable: 'Try again in a moment.',
  internal_error: 'The error is in the log of the app.',
}

const REASONS: Record<InvalidReason, string> = {
  malformed: 'The access token is malformed.',
  signature_invalid: 'The signature of the access token is not valid.',
  issuer_invalid: 'The access token is of another issuer.',
  audience_invalid: 'The access token is for another audience.',
  expired: 'The access token has expired.',
  not_yet_valid: 'The access token is not valid yet.',
  session_revoked: 'The session was revoked.',
  session_expired: 'The session has expired.',
  session_not_found: 'There is no such session.',
  revocations_stale: 'Try again in a moment.',
}
