import type { TenantCopy } from '../freshness/tenant-copy.ts'
import type { Actor } from '../http/request-context.ts'
import type { RefreshService } from '../refresh/refresh.service.ts'
import type { SessionService } from '../sessions/sessions.service.ts'
import type { VerifyService } from '../sessions/verify.service.ts'
import { Problem } from '../shared/problem.ts'
import type { Introspection } from './oauth.schema.ts'

/** RFC 7662 and RFC 7009 over the services that do the same in our own words. */
export interface OAuthService {
  /** Says nothing of a token that is not good, and nothing of another tenant's. */
  introspect(tenant: TenantCopy, token: string): Promise<Introspection>
  /** Ends the session that the token belongs to. A token that is none is no error (RFC 7009, 2.2). */
  revoke(by: Actor, token: string): Promise<void>
}

export interface OAuthDeps {
  verifier: Pick<VerifyService, 'inspect'>
  refresh: Pick<RefreshService, 'inspect'>
  sessions: Pick<SessionService, 'revoke'>
}

const INACTIVE: Introspection = { active: false }
const REASON = 'token_revoked'

export function createOAuthService({ verifier, refresh, sessions }: OAuthDeps): OAuthService {
  return {
    async introspect(tenant, token) {
      return isRefreshToken(token)
        ? introspectRefreshToken(await refresh.inspect(tenant, token))
        : introspectAccessToken(await verifier.inspect(tenant, token))
    },
    async revoke(by, token) {
      const sessionId = isRefreshToken(token)
        ? (await refresh.inspect(by.tenant, token))?.id
        : (await verifier.inspect(by.tenant, token))?.claims.sid
      if (sessionId === undefined) return
      try {
        await sessions.revoke(by, sessionId, REASON)
      } catch (error) {
        if (!(error instanceof Problem && error.code === 'session_not_found')) throw error
      }
    },
  }
}

const isRefreshToken = (token: string): boolean => token.startsWith('rt_')

type Inspected = Awaited<ReturnType<VerifyService['inspect']>>

function introspectAccessToken(inspected: Inspected): Introspection {
  if (inspected === null) return INACTIVE
  const { claims, verification } = inspected
  const { org_id, role } = verification
  return {
    active: true,
    token_type: 'Bearer',
    iss: claims.iss,
    sub: claims.sub,
    aud: claims.aud,
    exp: claims.exp,
    iat: claims.iat,
    jti: claims.jti,
    sid: claims.sid,
    tenant_id: claims.tenant_id,
    auth_time: claims.auth_time,
    amr: claims.amr,
    mfa_verified: claims.mfa_verified,
    ...(claims.client_id !== null && { client_id: claims.client_id }),
    ...(typeof org_id === 'string' && { org_id }),
    ...(typeof role === 'string' && { role }),
  }
}

type InspectedSession = Awaited<ReturnType<RefreshService['inspect']>>

function introspectRefreshToken(session: InspectedSession): Introspection {
  if (session === null) return INACTIVE
  return {
    active: true,
    token_type: 'refresh_token',
    sub: session.userId,
    sid: session.id,
    tenant_id: session.tenantId,
    iat: Math.floor((session.refreshedAt ?? session.createdAt).getTime() / 1000),
    exp: Math.floor(session.expiresAt.getTime() / 1000),
    ...(session.appId !== null && { client_id: session.appId }),
    ...(session.orgId !== null && { org_id: session.orgId }),
    ...(session.role !== null && { role: session.role }),
  }
}
