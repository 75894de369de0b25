import { InvalidResponseError } from '../errors.ts'
import type { Verification } from '../generated/model.ts'
import type { TokenInvalidReason, VerifiedSession } from '../verifier/verification.ts'

/** What the service says of an access token. `session` is there only when the token is good. */
export type TokenVerification =
  | { valid: true; session: VerifiedSession }
  | { valid: false; reason: TokenInvalidReason }

/** Only an answer that says everything counts as yes; a part of one must not let anybody in. */
export function readVerification(answer: Verification): TokenVerification {
  const { valid, reason, sessionId, userId, tenantId, authTime, issuedAt, expiresAt } = answer
  if (valid === false && reason !== undefined) return { valid, reason }
  if (valid !== true || !sessionId || !userId || !tenantId || !authTime || !issuedAt || !expiresAt)
    throw new InvalidResponseError('The answer says neither that the token is good nor why not', {
      code: 'response_invalid',
    })
  const { orgId = null, appId = null, role = null, amr = [], mfaVerified = false } = answer
  const who = { sessionId, userId, tenantId, orgId, appId, role }
  return { valid, session: { ...who, amr, mfaVerified, authTime, issuedAt, expiresAt } }
}
