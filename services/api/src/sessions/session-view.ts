import { isMfa } from './mfa.ts'
import type { Session } from './sessions.schema.ts'
import type { StoredSession } from './sessions.store.ts'

/** A session as the wire shows it. */
export function toSession(row: StoredSession): Session {
  return {
    object: 'session',
    id: row.id,
    user_id: row.userId,
    tenant_id: row.tenantId,
    org_id: row.orgId,
    app_id: row.appId,
    role: row.role,
    status: row.status,
    amr: row.amr,
    mfa_verified: isMfa(row.amr),
    auth_time: row.authTime.toISOString(),
    user_agent: row.userAgent,
    ip_address: row.ipAddress,
    country: row.country,
    location: row.location,
    device: {
      id: row.deviceId,
      name: row.deviceName,
      type: row.deviceType,
      os: row.os,
      browser: row.browser,
    },
    device_type: row.deviceType,
    metadata: row.metadata,
    created_at: row.createdAt.toISOString(),
    last_active_at: row.lastActiveAt.toISOString(),
    expires_at: row.expiresAt.toISOString(),
    revoked_at: row.revokedAt?.toISOString() ?? null,
    revoked_by: row.revokedBy,
    revoke_reason: row.revokeReason,
  }
}
