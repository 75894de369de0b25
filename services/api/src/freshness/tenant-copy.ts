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
  // By which of user, organisation and app the bulk revoke names, then by their values.
  const bulks = new Map<BulkShape, Map<string, Watermark>>()
  return {
    note(change) {
      const forgetAfterMs = change.forgetAfter.getTime() + FORGET_MARGIN_MS
      if (change.sessionId !== null) {
        sessions.set(change.sessionId, Math.max(forgetAfterMs, sessions.get(change.sessionId) ?? 0))
        return
      }
      const shape = SHAPES[shapeIndex(change)] ?? EVERYTHING
      const marks = bulks.get(shape) ?? new Map<string, Watermark>()
      const key = shape(change)
      const known = marks.get(key)
      // A later revoke of the same covers all that the earlier one did.
      marks.set(key, {
        generation: Math.max(change.generation ?? 0, known?.generation ?? 0),
        forgetAfterMs: Math.max(forgetAfterMs, known?.forgetAfterMs ?? 0),
      })
      bulks.set(shape, marks)
    },
    mayConcern(claims) {
      if (sessions.has(claims.sessionId)) return true
      for (const [shape, marks] of bulks) {
        const mark = marks.get(shape(claims))
        if (mark !== undefined && claims.generation < mark.generation) return true
      }
      return false
    },
    forget(nowMs) {
      for (const [id, forgetAfterMs] of sessions) if (forgetAfterMs < nowMs) sessions.delete(id)
      for (const [shape, marks] of bulks) {
        for (const [key, { forgetAfterMs }] of marks) if (forgetAfterMs < nowMs) marks.delete(key)
        if (marks.size === 0) bulks.delete(shape)
      }
    },
    get size() {
      let size = sessions.size
      for (const marks of bulks.values()) size += marks.size
      return size
    },
  }
}

interface Watermark {
  generation: number
  forgetAfterMs: number
}

type Subject = Pick<SessionClaims, 'orgId' | 'appId'> & { userId: string | null }
type BulkShape = (subject: Subject) => string

// No id holds a space, so joined values stay apart.
const EVERYTHING: BulkShape = () => ''
const SHAPES: BulkShape[] = [
  EVERYTHING,
  ({ userId }) => `${userId}`,
  ({ orgId }) => `${orgId}`,
  ({ userId, orgId }) => `${userId} ${orgId}`,
  ({ appId }) => `${appId}`,
  ({ userId, appId }) => `${userId} ${appId}`,
  ({ orgId, appId }) => `${orgId} ${appId}`,
  ({ userId, orgId, appId }) => `${userId} ${orgId} ${appId}`,
]

const shapeIndex = ({ userId, orgId, appId }: Subject): number =>
  (userId === null ? 0 : 1) + (orgId === null ? 0 : 2) + (appId === null ? 0 : 4)
