import type { AccessTokenClaims } from './access-token.ts'
import type { SessionSubject } from './bulk-marks.ts'
import type { VerifiedSession } from './verification.ts'

/** Frozen, since the next verify of the same token gives the same object. */
export function toVerifiedSession(claims: AccessTokenClaims): VerifiedSession {
  const session: VerifiedSession = {
    sessionId: claims.sid,
    userId: claims.sub,
    tenantId: claims.tenant_id,
    orgId: claims.org_id,
    appId: claims.client_id,
    role: claims.role,
    amr: claims.amr,
    mfaVerified: claims.mfa_verified,
    authTime: toInstant(claims.auth_time),
    issuedAt: toInstant(claims.iat),
    expiresAt: toInstant(claims.exp),
  }
  Object.freeze(session.amr)
  return Object.freeze(session)
}

export function toSubject(claims: AccessTokenClaims): SessionSubject {
  return {
    sessionId: claims.sid,
    userId: claims.sub,
    orgId: claims.org_id,
    appId: claims.client_id,
    generation: claims.gen,
  }
}

/** The generation is for revocations alone and no part of what an app sees of a session. */
export function subjectOfSession(session: VerifiedSession): SessionSubject {
  const { sessionId, userId, orgId, appId } = session
  return { sessionId, userId, orgId, appId, generation: null }
}

/** A busy service sees many tokens of one second, and a date is dear to write. */
const instants = new Map<number, string>()
const MAX_INSTANTS = 4_096

function toInstant(seconds: number): string {
  const known = instants.get(seconds)
  if (known !== undefined) return known
  if (instants.size >= MAX_INSTANTS) instants.clear()
  const text = new Date(seconds * 1000).toISOString()
  instants.set(seconds, text)
  return text
}
