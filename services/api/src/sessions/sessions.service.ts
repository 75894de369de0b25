import type { DeviceService } from '../devices/devices.service.ts'
import type { Actor } from '../http/request-context.ts'
import type { RefreshTokens } from '../refresh/refresh-token.ts'
import type { Clock } from '../shared/clock.ts'
import { type Cursors, toPage } from '../shared/cursor.ts'
import { Problem } from '../shared/problem.ts'
import { DEFAULT_PAGE_LIMIT, type PageOf } from '../shared/schema.ts'
import type { TenantSettings } from '../tenants/tenants.schema.ts'
import type { BulkFollowers } from './bulk-followers.ts'
import type { BulkRevokeStore } from './bulk-revoke.store.ts'
import type { IssueTokens } from './issue-tokens.ts'
import { newSession, refuseLargeMetadata } from './new-session.ts'
import type { RevokeQueue } from './revoke-queue.ts'
import type { SessionLimitStore } from './session-limit.store.ts'
import { toSession } from './session-view.ts'
import type {
  CreateSession,
  ListSessionsQuery,
  RevokeSessionsQuery,
  Session,
  SessionTokens,
  UpdateSession,
} from './sessions.schema.ts'
import type { NewSession, SessionStore } from './sessions.store.ts'

export interface SessionService {
  /**
   * @throws Problem request_invalid for an address that is none, or metadata over 4 KB;
   *   session_limit_reached where the tenant refuses a sign-in beyond its limit.
   */
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
  store: Omit<SessionStore, 'revoke'>
  limits: SessionLimitStore
  revokes: RevokeQueue
  bulk: BulkRevokeStore
  followers: Pick<BulkFollowers, 'follow'>
  devices: DeviceService
  refreshTokens: Pick<RefreshTokens, 'createFamily'>
  issueTokens: IssueTokens
  cursors: Cursors
  clock: Clock
}

export function createSessionService(deps: SessionDeps): SessionService {
  const {
    store,
    limits,
    revokes,
    bulk,
    followers,
    devices,
    refreshTokens,
    issueTokens,
    cursors,
    clock,
  } = deps

  const get = async (tenantId: string, id: string): Promise<Session> => {
    const row = await store.find(tenantId, id, new Date(clock.nowMs()))
    if (row === null) throw new Problem('session_not_found')
    return toSession(row)
  }

  const insert = async (
    { max_sessions_per_user: max, on_limit: onLimit }: TenantSettings,
    session: NewSession,
    actor: string,
  ): Promise<number> => {
    if (max === null) return store.insert(session.tenantId, session, actor)
    const generation = await limits.insert(session.tenantId, session, actor, { max, onLimit })
    if (generation === null)
      throw new Problem('session_limit_reached', {
        detail: `A user of this tenant may have ${max} active sessions. End one first.`,
      })
    return generation
  }

  return {
    get,

    async create({ actor, tenant }, body) {
      const { familySecret, familyHash } = refreshTokens.createFamily()
      const facts = newSession(body, tenant, clock.nowMs(), devices)
      const session = { ...facts, refreshFamilyHash: familyHash }
      const generation = await insert(tenant.settings, session, actor)
      return issueTokens(tenant, {
        session: { ...session, ...NOT_REVOKED, status: 'active' },
        generation,
        issuedAt: session.createdAt,
        expiresAt: session.tokenExpiresAt,
        refreshGeneration: 0,
        familySecret,
      })
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
      const facts = { revokedBy: actor, reason: reason ?? null, at: new Date(clock.nowMs()) }
      if (await revokes.revoke(tenantId, { sessionId: id, ...facts })) return
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
