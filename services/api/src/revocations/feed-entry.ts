import type { Revocation } from './revocations.schema.ts'
import type { FeedLine } from './revocations.store.ts'

/** A line as a verifier needs it; null for what is none of its business. */
export function toRevocation(line: FeedLine): Revocation | null {
  const type = typeOf(line)
  if (type === null) return null
  const isBulk = line.kind === 'bulk'
  const { userId, orgId, appId } = line
  return {
    seq: line.seq,
    type,
    session_id: line.sessionId,
    all: isBulk && userId === null && orgId === null && appId === null,
    user_id: userId,
    org_id: orgId,
    app_id: appId,
    except_session_id: line.exceptSessionId,
    generation: line.generation,
    tokens_issued_before: isBulk ? line.createdAt.toISOString() : null,
    revoked_at: line.createdAt.toISOString(),
    forget_after: line.forgetAfter.toISOString(),
  }
}

function typeOf({ kind, revokedBy }: FeedLine): Revocation['type'] | null {
  switch (kind) {
    case 'session':
      return revokedBy === null ? 'session_changed' : 'session_revoked'
    case 'bulk':
      return 'sessions_revoked'
    case 'signing_keys':
      return 'signing_keys_changed'
    case 'tenant':
      return 'tenant_changed'
    case 'api_keys':
      return null
  }
}
