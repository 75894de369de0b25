import type { Keyring } from '../signing-keys/keyring.ts'
import type { TenantSettings } from '../tenants/tenants.schema.ts'

/** An API key as the request path needs it. */
export interface KnownApiKey {
  id: string
  scopes: ReadonlySet<string>
  /** When the key, or this secret of it, stops working; null for never. */
  expiresAt: Date | null
}

/** What a token says of the session it belongs to, as far as revocation goes. */
export interface SessionClaims {
  sessionId: string
  userId: string
  orgId: string | null
  appId: string | null
  generation: number
}

/** One line of a tenant's change log. */
export interface TenantChange {
  tenantId: string
  seq: number
  kind: 'session' | 'bulk' | 'api_keys' | 'signing_keys' | 'tenant'
  sessionId: string | null
  userId: string | null
  orgId: string | null
  appId: string | null
  exceptSessionId: string | null
  generation: number | null
  forgetAfter: Date
}

/**
 * A node's copy of what one tenant's requests need to know. It is trusted only right after the
 * freshness question has been answered for it (freshness.service.ts).
 */
export interface TenantCopy {
  readonly tenantId: string
  name: string
  status: 'active' | 'suspended'
  settings: TenantSettings
  keyring: Keyring
  /** By the hex of the secret's hash. Filled on demand, emptied when any key of the tenant changes. */
  apiKeys: Map<string, KnownApiKey>
  /** Grows when `apiKeys` is emptied: what was read before must not be put in after. */
  apiKeysVersion: number
  /** The number of the newest change that the copy holds. */
  seq: number
  revocations: KnownRevocations
}

/**
 * The revocations of one tenant that can still concern a living token. It answers one question:
 * may this session have ended, or changed, since its token was signed? "No" is certain. "Maybe" is
 * decided by Postgres, so a session that moved or a bulk revoke with an exception costs a query,
 * never a wrong answer.
 */
export interface KnownRevocations {
  note(change: TenantChange): void
  mayConcern(claims: SessionClaims): boolean
  /** Drops what no living token can need. */
  forget(nowMs: number): void
  readonly size: number
}

/** Tokens end on whole seconds, and a little more memory costs nothing. */
const FORGET_MARGIN_MS = 60_000

export function createKnownRevocations(): KnownRevocations {
  const sessions = new Map<string, number>()
  const users = new Map<string, Watermark>()
  let others: (Watermark & Pick<TenantChange, 'userId' | 'orgId' | 'appId'>)[] = []
  return {
    note(change) {
      const forgetAfterMs = change.forgetAfter.getTime() + FORGET_MARGIN_MS
      if (change.sessionId !== null) {
        sessions.set(change.sessionId, Math.max(forgetAfterMs, sessions.get(change.sessionId) ?? 0))
        return
      }
      const generation = change.generation ?? 0
      const { userId, orgId, appId } = change
      if (userId !== null && orgId === null && appId === null) {
        const known = users.get(userId)
        users.set(userId, {
          generation: Math.max(generation, known?.generation ?? 0),
          forgetAfterMs: Math.max(forgetAfterMs, known?.forgetAfterMs ?? 0),
        })
        return
      }
      // A later revoke with the same filter covers all that the earlier one did.
      others = others.filter(
        known => known.userId !== userId || known.orgId !== orgId || known.appId !== appId,
      )
      others.push({ userId, orgId, appId, generation, forgetAfterMs })
    },
    mayConcern({ sessionId, userId, orgId, appId, generation }) {
      if (sessions.has(sessionId)) return true
      const user = users.get(userId)
      if (user !== undefined && generation < user.generation) return true
      return others.some(
        bulk =>
          generation < bulk.generation &&
          (bulk.userId === null || bulk.userId === userId) &&
          (bulk.orgId === null || bulk.orgId === orgId) &&
          (bulk.appId === null || bulk.appId === appId),
      )
    },
    forget(nowMs) {
      for (const [id, forgetAfterMs] of sessions) if (forgetAfterMs < nowMs) sessions.delete(id)
      for (const [id, { forgetAfterMs }] of users) if (forgetAfterMs < nowMs) users.delete(id)
      others = others.filter(({ forgetAfterMs }) => forgetAfterMs >= nowMs)
    },
    get size() {
      return sessions.size + users.size + others.length
    },
  }
}

interface Watermark {
  generation: number
  forgetAfterMs: number
}
