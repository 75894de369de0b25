import type { AccessTokenClaims } from '../verifier/access-token.ts'
import type { AccessTokenOptions } from './access-token.ts'

/** A session as it is on the wire. */
export interface WireSession {
  object: 'session'
  id: string
  user_id: string
  org_id: string | null
  app_id: string | null
  role: string | null
  amr: string[]
  status: 'active' | 'revoked'
  metadata: Record<string, string>
  [more: string]: unknown
}

/** What `POST /v1/sessions` takes. */
export interface NewSession {
  user_id: string
  org_id?: string | null
  app_id?: string | null
  role?: string | null
  amr?: string[]
  user_agent?: string | null
  ip_address?: string | null
  metadata?: Record<string, string>
}

/** What `PATCH /v1/sessions/{id}` takes. */
export interface SessionChanges {
  metadata?: Record<string, string>
  role?: string | null
  org_id?: string | null
}

/** The sessions of a test tenant: those that its tokens speak of, and those that an app created. */
export interface InMemorySessions {
  /** Remembers the session that a token speaks of. */
  note(claims: AccessTokenClaims, given?: NewSession): WireSession
  find(sessionId: string): WireSession | null
  /** Newest first. */
  list(): WireSession[]
  /** @param generation of the tenant: a session that moves is meant by later bulk revokes alone. */
  update(sessionId: string, changes: SessionChanges, generation: number): void
  /** What a token of the session would say today: its role and organisation may have changed. */
  today(claims: AccessTokenClaims): AccessTokenClaims
  /** When the last of its tokens expires. */
  tokensExpireAt(sessionId: string): Date
  /** What the next token of a session says. */
  tokenOf(sessionId: string): AccessTokenOptions
}

interface KnownSession {
  /** Of its first token. */
  claims: AccessTokenClaims
  session: WireSession
  /** What its tokens can't know. */
  changed: { role?: string | null; org_id?: string | null }
  movedAtGeneration: number
  lastExp: number
}

const LIFE_SECONDS = 30 * 24 * 60 * 60

export function createInMemorySessions(
  hasRevoked: (claims: AccessTokenClaims) => boolean,
): InMemorySessions {
  const known = new Map<string, KnownSession>()

  const today = (claims: AccessTokenClaims): AccessTokenClaims => {
    const entry = known.get(claims.sid)
    if (entry === undefined) return claims
    return { ...claims, ...entry.changed, gen: Math.max(claims.gen, entry.movedAtGeneration) }
  }
  const view = (entry: KnownSession): WireSession => {
    const isRevoked = hasRevoked(today(entry.claims))
    const revoked_at = isRevoked ? new Date().toISOString() : null
    return { ...entry.session, status: isRevoked ? 'revoked' : 'active', revoked_at }
  }

  return {
    note(claims, given) {
      const entry = known.get(claims.sid) ?? {
        claims,
        session: toSession(claims, given),
        changed: {},
        movedAtGeneration: 0,
        lastExp: 0,
      }
      entry.lastExp = Math.max(entry.lastExp, claims.exp)
      known.set(claims.sid, entry)
      return view(entry)
    },
    find(sessionId) {
      const entry = known.get(sessionId)
      return entry === undefined ? null : view(entry)
    },
    list: () => Array.from(known.values(), view).reverse(),
    update(sessionId, changes, generation) {
      const entry = known.get(sessionId)
      if (entry === undefined) return
      const { role, org_id } = changes
      Object.assign(entry.session, changes)
      if (role !== undefined) entry.changed.role = role
      if (org_id === undefined) return
      entry.changed.org_id = org_id
      entry.movedAtGeneration = generation
    },
    today,
    tokensExpireAt: sessionId => new Date((known.get(sessionId)?.lastExp ?? 0) * 1000),
    tokenOf(sessionId) {
      const entry = known.get(sessionId)
      if (entry === undefined) throw new Error('there is no such session')
      const { user_id, org_id, app_id, role, amr } = entry.session
      const authTime = new Date(entry.claims.auth_time * 1000)
      return { sessionId, userId: user_id, orgId: org_id, appId: app_id, role, amr, authTime }
    },
  }
}

function toSession(claims: AccessTokenClaims, given?: NewSession): WireSession {
  const at = (seconds: number): string => new Date(seconds * 1000).toISOString()
  return {
    object: 'session',
    id: claims.sid,
    user_id: claims.sub,
    tenant_id: claims.tenant_id,
    org_id: claims.org_id,
    app_id: claims.client_id,
    role: claims.role,
    status: 'active',
    amr: claims.amr,
    mfa_verified: claims.mfa_verified,
    auth_time: at(claims.auth_time),
    user_agent: given?.user_agent ?? null,
    ip_address: given?.ip_address ?? null,
    country: null,
    location: null,
    device: { id: null, name: null, type: 'other', os: null, browser: null },
    device_type: 'other',
    metadata: given?.metadata ?? {},
    created_at: at(claims.iat),
    last_active_at: at(claims.iat),
    expires_at: at(claims.iat + LIFE_SECONDS),
    revoked_at: null,
    revoked_by: null,
    revoke_reason: null,
  }
}
