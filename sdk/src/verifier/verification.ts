/**
 * What a good access token says of its session. The names and the values are those of
 * `sesame.sessions.verify()`, so that a backend can change from one to the other.
 */
export interface VerifiedSession {
  sessionId: string
  userId: string
  tenantId: string
  orgId: string | null
  /** The app that the user signed in with: `client_id` of the token. */
  appId: string | null
  role: string | null
  /** How the user proved who they are (RFC 8176). */
  amr: string[]
  mfaVerified: boolean
  /** When the user proved who they are: RFC 3339. */
  authTime: string
  /** When the token was issued: RFC 3339. */
  issuedAt: string
  /** When the token expires: RFC 3339. */
  expiresAt: string
}

/** Why a token is refused, in the words of `POST /v1/sessions/verify`. */
export type TokenInvalidReason =
  | 'malformed'
  | 'signature_invalid'
  | 'issuer_invalid'
  | 'audience_invalid'
  | 'expired'
  | 'not_yet_valid'
  | 'session_revoked'
  | 'session_expired'
  | 'session_not_found'

/**
 * What only a local verifier can add: `revocations_stale`, its owner chose to refuse when it has been
 * blind for longer than `maxStaleness`.
 */
export type InvalidReason = TokenInvalidReason | 'revocations_stale'

export type Verification =
  | { valid: true; session: VerifiedSession }
  | { valid: false; reason: InvalidReason }
