import type { DeviceService } from '../devices/devices.service.ts'
import { normaliseIpAddress } from '../devices/ip-address.ts'
import type { Actor } from '../http/request-context.ts'
import type { RefreshTokens } from '../refresh/refresh-token.ts'
import type { Clock } from '../shared/clock.ts'
import { type Cursors, toPage } from '../shared/cursor.ts'
import { newId } from '../shared/ids.ts'
import { Problem } from '../shared/problem.ts'
import { DEFAULT_PAGE_LIMIT, type PageOf } from '../shared/schema.ts'
import { lifetimesOf } from '../tenants/tenants.schema.ts'
import { type AccessTokenClaims, signAccessToken } from '../tokens/access-token.ts'
import type { BulkFollowers } from './bulk-followers.ts'
import type { BulkRevokeStore } from './bulk-revoke.store.ts'
import { isMfa } from './mfa.ts'
import {
  type CreateSession,
  type ListSessionsQuery,
  MAX_METADATA_BYTES,
  type RevokeSessionsQuery,
  type Session,
  type SessionTokens,
  type UpdateSession,
} from './sessions.schema.ts'
import type { NewSession, SessionStore, StoredSession } from './sessions.store.ts'

export interface SessionService {
  /** @throws Problem request_invalid for an address that is none, or metadata over 4 KB. */
  create(by: Actor, body: CreateSession): Promise<SessionTokens>
  get(tenantId: string, id: string): Promise<Session>
  list(tenantId: string, query: ListSessionsQuery): Promise<PageOf<Session>>
  /** @throws Problem session_not_active when it has ended. */
  update(by: Actor, id: string, body: UpdateSession): Promise<Session>
  /** Ended from the moment this returns, everywhere; also when it had ended before. */
  revoke(by: Actor, id: string, reason?: string): Promise<void>
  /** @returns how many were active and no longer are. */
  revokeAll(by: Actor, query: RevokeSessionsQuery): Promise<number>
}

export interface SessionDeps {
  store: SessionStore
  bulk: BulkRevokeStore
  followers: Pick<BulkFollowers, 'follow'>
  devices: DeviceService
  refreshTokens: RefreshTokens
  cursors: Cursors
  clock: Clock
  issuerOf(tenantId: string): string
}

export function createSessionService(deps: SessionDeps): SessionService {
  const { store, bulk, followers, devices, refreshTokens, cursors, clock, issuerOf } = deps

  const get = async (tenantId: string, id: string): Promise<Session> => {
    const row = await store.find(tenantId, id, new Date(clock.nowMs()))
    if (row === null) throw new Problem('session_not_found')
    return toSession(row)
  }

  return {
    get,

    async create({ actor, tenantId, tenant }, body) {
      const nowMs = clock.nowMs()
      const { familySecret, familyHash } = refreshTokens.createFamily()
      const session = newSession(
        body,
        tenantId,
        nowMs,
        devices,
        lifetimesFor(tenant.settings, body),
      )
      const generation = await store.insert(
        tenantId,
        { ...session, refreshFamilyHash: familyHash },
        actor,
      )
      const claims = claimsOf(session, {
        issuer: issuerOf(tenantId),
        audience: tenant.settings.audience ?? tenantId,
        nowMs,
        generation,
      })
      const accessToken = signAccessToken(tenant.keyring, claims, nowMs)
      if (accessToken === null) throw new Error('the tenant has no key that signs')
      return {
        session: toSession({ ...session, ...NOT_REVOKED, status: 'active' }),
        access_token: accessToken,
        token_type: 'Bearer',
        expires_in: claims.exp - claims.iat,
        refresh_token: refreshTokens.seal({
          tenantId,
          sessionId: session.id,
          generation: 0,
          familySecret,
        }),
      }
    },

    async list(tenantId, query) {
      const { cursor, limit = DEFAULT_PAGE_LIMIT, status = 'active', ...given } = query
      const scope = { tenantId, list: 'sessions', filters: { ...given, status } }
      const beforeId = cursor === undefined ? null : cursors.open(scope, cursor)
      const filters = {
        userId: given.user_id,
        orgId: given.org_id,
        appId: given.app_id,
        deviceId: given.device_id,
        status,
      }
      const now = new Date(clock.nowMs())
      const rows = await store.list(tenantId, filters, beforeId, limit + 1, now)
      return toPage(rows, limit, toSession, lastId => cursors.seal(scope, lastId))
    },

    async update({ actor, tenantId }, id, { metadata, role, org_id }) {
      if (metadata !== undefined) refuseLargeMetadata(metadata)
      const patch = {
        ...(metadata !== undefined && { metadata }),
        ...(role !== undefined && { role }),
        ...(org_id !== undefined && { orgId: org_id }),
      }
      const at = new Date(clock.nowMs())
      const isUpdated = await store.update(tenantId, id, patch, { actor, at })
      const session = await get(tenantId, id)
      if (!isUpdated) throw new Problem('session_not_active')
      return session
    },

    async revoke({ actor, tenantId }, id, reason) {
      const revocation = { revokedBy: actor, reason: reason ?? null, at: new Date(clock.nowMs()) }
      if (await store.revoke(tenantId, id, revocation)) return
      // It had ended before, or it never was: only the latter is an error.
      await get(tenantId, id)
    },

    async revokeAll({ actor, tenantId }, query) {
      const filters = {
        userId: query.user_id,
        orgId: query.org_id,
        appId: query.app_id,
        exceptSessionId: query.except,
      }
      const at = new Date(clock.nowMs())
      if (query.dry_run === true) return bulk.count(tenantId, filters, at)
      const { revoked, pending } = await bulk.revoke(tenantId, filters, {
        revokedBy: actor,
        reason: query.reason ?? null,
        at,
      })
      if (pending !== null) followers.follow(pending)
      return revoked
    },
  }
}

const NOT_REVOKED = { revokedAt: null, revokedBy: null, revokeReason: null }

interface Lifetimes {
  accessTokenTtlSeconds: number
  sessionTtlSeconds: number
}

const lifetimesFor = (
  settings: Parameters<typeof lifetimesOf>[0],
  { app_id = null, expires_in }: CreateSession,
): Lifetimes => {
  const { accessTokenTtlSeconds, sessionTtlSeconds } = lifetimesOf(settings, app_id)
  return { accessTokenTtlSeconds, sessionTtlSeconds: expires_in ?? sessionTtlSeconds }
}

type SessionFacts = Omit<NewSession, 'refreshFamilyHash'>

function newSession(
  body: CreateSession,
  tenantId: string,
  nowMs: number,
  devices: DeviceService,
  { accessTokenTtlSeconds, sessionTtlSeconds }: Lifetimes,
): SessionFacts {
  const { org_id = null, app_id = null, role = null, amr = [], metadata = {} } = body
  refuseLargeMetadata(metadata)
  const userAgent = body.user_agent ?? null
  const ipAddress = normalisedAddress(body.ip_address ?? null)
  const { device, deviceType, country, location } = devices.describe({
    userAgent,
    ipAddress,
    device: body.device ?? null,
  })
  const now = new Date(nowMs)
  const expiresAtMs = nowMs + sessionTtlSeconds * 1000
  return {
    tenantId,
    id: newId('ses'),
    userId: body.user_id,
    orgId: org_id,
    appId: app_id,
    role,
    amr,
    authTime: now,
    userAgent,
    ipAddress,
    country,
    location,
    deviceId: device.id,
    deviceName: device.name,
    deviceType,
    os: device.os,
    browser: device.browser,
    metadata,
    createdAt: now,
    lastActiveAt: now,
    expiresAt: new Date(expiresAtMs),
    // A token never outlives its session.
    tokenExpiresAt: new Date(Math.min(nowMs + accessTokenTtlSeconds * 1000, expiresAtMs)),
  }
}

function normalisedAddress(given: string | null): string | null {
  if (given === null) return null
  const address = normaliseIpAddress(given)
  if (address === null)
    throw new Problem('request_invalid', {
      errors: [{ field: 'ip_address', message: 'must be an IPv4 or IPv6 address' }],
    })
  return address
}

function refuseLargeMetadata(metadata: Record<string, string>): void {
  if (Buffer.byteLength(JSON.stringify(metadata)) <= MAX_METADATA_BYTES) return
  const message = `must take at most ${MAX_METADATA_BYTES} bytes as JSON`
  throw new Problem('request_invalid', { errors: [{ field: 'metadata', message }] })
}

const secondsOf = (instant: Date): number => Math.floor(instant.getTime() / 1000)

function claimsOf(
  session: SessionFacts,
  token: { issuer: string; audience: string; nowMs: number; generation: number },
): AccessTokenClaims {
  const iat = Math.floor(token.nowMs / 1000)
  return {
    iss: token.issuer,
    aud: token.audience,
    sub: session.userId,
    sid: session.id,
    jti: newId('tok'),
    iat,
    // Whole seconds, as most libraries want: at least one, and never past the session's end but so.
    exp: Math.max(secondsOf(session.tokenExpiresAt), iat + 1),
    auth_time: secondsOf(session.authTime),
    tenant_id: session.tenantId,
    org_id: session.orgId,
    role: session.role,
    amr: session.amr,
    mfa_verified: isMfa(session.amr),
    client_id: session.appId,
    gen: token.generation,
  }
}

function toSession(row: StoredSession): Session {
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
