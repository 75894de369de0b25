import type { TenantCopy } from '../freshness/tenant-copy.ts'
import type { Clock } from '../shared/clock.ts'
import { endOf, lifetimesOf } from '../tenants/tenants.schema.ts'
import {
  type AccessTokenClaims,
  authenticateToken,
  checkTimes,
  keyOf,
} from '../tokens/access-token.ts'
import type { VerifiedTokens } from '../tokens/verified-tokens.cache.ts'
import type { Activities } from './activity.ts'
import type { InvalidReason, Verification } from './sessions.schema.ts'
import type { SessionStore } from './sessions.store.ts'

export interface VerifyService {
  /**
   * Whether an access token is good at this moment, for this tenant.
   *
   * @param tenant as current as the arrival of the request: that is what makes a revocation count
   *   everywhere at once.
   */
  verify(tenant: TenantCopy, token: string): Verification | Promise<Verification>
  /** The same as far as the copy alone can tell; null where Postgres must decide. */
  verifyByCopy(tenant: TenantCopy, token: string): Verification | null
  /** The same with the claims of the token; null for one that is not good. */
  inspect(tenant: TenantCopy, token: string): Promise<InspectedToken | null>
}

/** What a good token says, and what is so today. */
export interface InspectedToken {
  claims: AccessTokenClaims
  verification: Verification
}

/** A token whose signature and fixed claims are good, and the verdict as far as it follows from them. */
export interface CheckedToken {
  claims: AccessTokenClaims
  verification: Verification
}

export interface VerifyDeps {
  store: Pick<SessionStore, 'find'>
  verifiedTokens: VerifiedTokens<CheckedToken>
  activities: Pick<Activities, 'note'>
  clock: Clock
  issuerOf(tenantId: string): string
}

/**
 * The hot path. In order: the signature and the fixed claims (or the memory of having checked them),
 * the times, and last whether the session is still good.
 */
export function createVerifyService(deps: VerifyDeps): VerifyService {
  const { store, verifiedTokens, activities, clock, issuerOf } = deps

  const authenticate = (tenant: TenantCopy, token: string, nowMs: number) => {
    // A token is long to look up; one that no key of ours signed was never kept.
    const isForeign = keyOf(tenant.keyring, token, nowMs) === null
    const known = isForeign ? null : verifiedTokens.find(token, tenant.keyring)
    if (known !== null) return { valid: true as const, checked: known }
    const verdict = authenticateToken(tenant.keyring, token, {
      issuer: issuerOf(tenant.tenantId),
      audience: tenant.settings.audience ?? tenant.tenantId,
      nowMs,
    })
    if (!verdict.valid) return verdict
    const checked = { claims: verdict.claims, verification: toVerification(verdict.claims) }
    verifiedTokens.insert(token, tenant.keyring, checked)
    return { valid: true as const, checked }
  }

  /** The copy says "maybe": Postgres says what is so, and what the session looks like today. */
  const askPostgres = async ({ claims, verification }: CheckedToken): Promise<Verification> => {
    const session = await store.find(claims.tenant_id, claims.sid, new Date(clock.nowMs()))
    if (session === null) return refusal('session_not_found')
    if (session.status === 'revoked') return refusal('session_revoked')
    if (session.status === 'expired') return refusal('session_expired')
    // Role and organisation are those of today: a session that changed since says so itself.
    return { ...verification, org_id: session.orgId, role: session.role }
  }

  const service: VerifyService = {
    async inspect(tenant, token) {
      const verification = await service.verify(tenant, token)
      if (!verification.valid) return null
      const verdict = authenticate(tenant, token, clock.nowMs())
      return verdict.valid ? { claims: verdict.checked.claims, verification } : null
    },
    verify(tenant, token) {
      const byCopy = service.verifyByCopy(tenant, token)
      if (byCopy !== null) return byCopy
      const verdict = authenticate(tenant, token, clock.nowMs())
      return verdict.valid ? askPostgres(verdict.checked) : refusal(verdict.reason)
    },
    verifyByCopy(tenant, token) {
      const nowMs = clock.nowMs()
      const verdict = authenticate(tenant, token, nowMs)
      if (!verdict.valid) return refusal(verdict.reason)
      const { claims, verification } = verdict.checked
      const untimely = checkTimes(claims, nowMs)
      if (untimely !== null) return refusal(untimely)
      if (tenant.status === 'suspended') return refusal('session_revoked')
      const { sessionTtlSeconds, idleTtlSeconds } = lifetimesOf(tenant.settings, claims.client_id)
      activities.note(
        { tenantId: tenant.tenantId, sessionId: claims.sid, idleTtlSeconds },
        claims.iat * 1000,
      )
      const latestEndMs = (claims.auth_time + sessionTtlSeconds) * 1000
      const mayHaveEnded =
        nowMs >= endOf(claims.iat * 1000, latestEndMs, idleTtlSeconds) ||
        tenant.revocations.mayConcern({
          sessionId: claims.sid,
          userId: claims.sub,
          orgId: claims.org_id,
          appId: claims.client_id,
          generation: claims.gen,
        })
      return mayHaveEnded ? null : verification
    },
  }
  return service
}

const refusal = (reason: InvalidReason): Verification => ({ valid: false, reason })

function toVerification(claims: AccessTokenClaims): Verification {
  return {
    valid: true,
    session_id: claims.sid,
    user_id: claims.sub,
    tenant_id: claims.tenant_id,
    org_id: claims.org_id,
    app_id: claims.client_id,
    role: claims.role,
    amr: claims.amr,
    mfa_verified: claims.mfa_verified,
    auth_time: toInstant(claims.auth_time),
    issued_at: toInstant(claims.iat),
    expires_at: toInstant(claims.exp),
  }
}

const toInstant = (seconds: number): string => new Date(seconds * 1000).toISOString()
