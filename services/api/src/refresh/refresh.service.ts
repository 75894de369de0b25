import { normaliseIpAddress } from '../devices/ip-address.ts'
import type { Freshness } from '../freshness/freshness.service.ts'
import type { TenantCopy } from '../freshness/tenant-copy.ts'
import type { IssueTokens } from '../sessions/issue-tokens.ts'
import type { SessionTokens } from '../sessions/sessions.schema.ts'
import type { Clock } from '../shared/clock.ts'
import { equalInConstantTime } from '../shared/crypto.ts'
import { Problem } from '../shared/problem.ts'
import { lifetimesOf, type TenantSettings } from '../tenants/tenants.schema.ts'
import type { RefreshSession } from './refresh.schema.ts'
import type { RefreshableSession, RefreshStore } from './refresh.store.ts'
import { familyHashOf, type RefreshToken, type RefreshTokens } from './refresh-token.ts'

export interface RefreshService {
  /**
   * Rotates a refresh token (RFC 9700, 4.14.2). The token one step behind is honoured, with the same
   * successor, until that was used or the grace has passed; an older one is theft and ends the
   * session.
   *
   * @param caller the tenant whose key asks; null for a public refresh, which the tenant must allow.
   * @throws Problem refresh_token_invalid, refresh_token_reuse, session_not_active
   */
  refresh(caller: TenantCopy | null, body: RefreshSession): Promise<SessionTokens>
  /** The session whose newest refresh token this is; null for every other text. Uses nothing up. */
  inspect(tenant: TenantCopy, refreshToken: string): Promise<RefreshableSession | null>
}

export interface RefreshDeps {
  store: RefreshStore
  refreshTokens: RefreshTokens
  issueTokens: IssueTokens
  freshness: Pick<Freshness, 'current'>
  clock: Clock
}

export function createRefreshService(deps: RefreshDeps): RefreshService {
  const { store, refreshTokens, issueTokens, freshness, clock } = deps

  /** Null caller: whoever holds the token may ask, if its tenant lets them. */
  const tenantOf = async (caller: TenantCopy | null, token: RefreshToken): Promise<TenantCopy> => {
    const tenant = caller ?? (await freshness.current(token.tenantId))
    if (tenant === null || tenant.tenantId !== token.tenantId) throw invalid()
    if (tenant.status === 'suspended') throw new Problem('tenant_suspended')
    if (caller === null && !tenant.settings.public_refresh) throw new Problem('api_key_invalid')
    return tenant
  }

  const issue = (
    tenant: TenantCopy,
    session: RefreshableSession,
    familySecret: string,
  ): SessionTokens => {
    const issuedAt = session.refreshedAt ?? session.createdAt
    const { accessTokenTtlSeconds } = lifetimesOf(tenant.settings, session.appId)
    const expiresAtMs = Math.min(
      issuedAt.getTime() + accessTokenTtlSeconds * 1000,
      session.tokenExpiresAt.getTime(),
    )
    return issueTokens(tenant, {
      session,
      generation: session.generation,
      issuedAt,
      expiresAt: new Date(expiresAtMs),
      refreshGeneration: session.refreshGeneration,
      familySecret,
    })
  }

  /** The token is not the newest, or the session has ended: which, and what follows? */
  const explain = async (
    tenant: TenantCopy,
    token: RefreshToken,
    familyHash: Buffer,
    presentedAddress: string | null,
  ): Promise<SessionTokens> => {
    const at = new Date(clock.nowMs())
    const session = await store.find(tenant.tenantId, token.sessionId, at)
    if (session === null || !equalInConstantTime(session.refreshFamilyHash, familyHash))
      throw invalid()
    if (session.status !== 'active') throw hasEnded(session)
    // The newest, and not rotated: it ended by Postgres's clock, which is a moment ahead of this node's.
    if (token.generation === session.refreshGeneration)
      throw hasEnded({ ...session, status: 'expired' })
    if (isHonoured(token, session, tenant.settings, at))
      return issue(tenant, session, token.familySecret)
    await store.revokeForReuse(tenant.tenantId, {
      sessionId: token.sessionId,
      at,
      presentedGeneration: token.generation,
      presentedAddress,
    })
    throw new Problem('refresh_token_reuse', {
      detail: 'This token was used before. The session is ended, for whoever else holds it too.',
    })
  }

  return {
    async inspect(tenant, refreshToken) {
      const token = refreshTokens.open(refreshToken)
      if (token === null || token.tenantId !== tenant.tenantId) return null
      const session = await store.find(token.tenantId, token.sessionId, new Date(clock.nowMs()))
      const isNewest =
        session?.status === 'active' &&
        session.refreshGeneration === token.generation &&
        equalInConstantTime(session.refreshFamilyHash, familyHashOf(token.familySecret))
      return isNewest ? session : null
    },

    async refresh(caller, { refresh_token, ip_address = null }) {
      const presentedAddress = addressOf(ip_address)
      const token = refreshTokens.open(refresh_token)
      if (token === null) throw invalid()
      const tenant = await tenantOf(caller, token)
      const familyHash = familyHashOf(token.familySecret)
      const rotated = await store.rotate(tenant.tenantId, {
        sessionId: token.sessionId,
        fromGeneration: token.generation,
        familyHash,
        at: new Date(clock.nowMs()),
        ...lifetimesByApp(tenant.settings),
      })
      return rotated === null
        ? explain(tenant, token, familyHash, presentedAddress)
        : issue(tenant, rotated, token.familySecret)
    },
  }
}

const invalid = (): Problem =>
  new Problem('refresh_token_invalid', { detail: 'The user has to sign in again.' })

const hasEnded = (session: RefreshableSession): Problem =>
  session.revokeReason === REUSE
    ? new Problem('refresh_token_reuse')
    : new Problem('refresh_token_invalid', { detail: `The session is ${session.status}.` })

const REUSE = 'refresh_token_reuse'

/** One step behind, its successor unused, and not for longer than the grace. */
function isHonoured(
  token: RefreshToken,
  session: RefreshableSession,
  settings: TenantSettings,
  now: Date,
): boolean {
  if (token.generation !== session.refreshGeneration - 1 || session.refreshedAt === null)
    return false
  const graceMs = settings.refresh_grace_seconds * 1000
  // No grace is none, also at a node whose clock is a little behind.
  return graceMs > 0 && now.getTime() - session.refreshedAt.getTime() < graceMs
}

/** For the database, which alone knows the app of the session. */
function lifetimesByApp(settings: TenantSettings) {
  const pick = <T>(select: (app: TenantSettings['apps'][string]) => T | undefined) => {
    const entries = Object.entries(settings.apps).flatMap(([appId, app]) => {
      const value = select(app)
      return value === undefined ? [] : [[appId, value] as const]
    })
    return Object.fromEntries(entries)
  }
  return {
    accessTokenTtlSeconds: {
      default: settings.access_token_ttl_seconds,
      byApp: pick(app => app.access_token_ttl_seconds),
    },
    idleTtlSeconds: {
      default: settings.idle_ttl_seconds,
      byApp: pick(app => app.idle_ttl_seconds),
    },
  }
}

function addressOf(given: string | null): string | null {
  if (given === null) return null
  const address = normaliseIpAddress(given)
  if (address !== null) return address
  const message = 'must be an IPv4 or IPv6 address'
  throw new Problem('request_invalid', { errors: [{ field: 'ip_address', message }] })
}
