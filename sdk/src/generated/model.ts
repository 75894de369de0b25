// Made from docs/openapi.json by `npm run generate`: do not edit.

/** A problem, as RFC 9457 describes it. */
export interface Problem {
  /** The page that explains this problem. */
  type: string
  title: string
  status: number
  /** Stable name. */
  code:
    | 'request_invalid'
    | 'body_malformed'
    | 'cursor_invalid'
    | 'api_key_invalid'
    | 'refresh_token_invalid'
    | 'refresh_token_reuse'
    | 'scope_missing'
    | 'tenant_mismatch'
    | 'tenant_suspended'
    | 'tenant_missing'
    | 'route_not_found'
    | 'tenant_not_found'
    | 'session_not_found'
    | 'api_key_not_found'
    | 'signing_key_not_found'
    | 'method_not_allowed'
    | 'request_timeout'
    | 'session_not_active'
    | 'session_limit_reached'
    | 'api_key_expired'
    | 'api_key_revoked'
    | 'idempotency_conflict'
    | 'idempotency_in_progress'
    | 'body_too_large'
    | 'uri_too_long'
    | 'content_type_unsupported'
    | 'rate_limit_exceeded'
    | 'headers_too_large'
    | 'internal_error'
    | 'service_unavailable'
  detail?: string
  requestId: string
  errors?: {
    field: string
    message: string
  }[]
}

/** A key of a tenant, without its secret. */
export interface ApiKey {
  object: 'api_key'
  id: string
  name: string
  /** The first characters of the secret. */
  prefix: string
  /** What the key may do. */
  scopes: (
    | 'sessions:read'
    | 'sessions:write'
    | 'sessions:verify'
    | 'events:read'
    | 'revocations:read'
    | 'keys:write'
  )[]
  /** RFC 3339 in UTC with milliseconds. */
  createdAt: string
  /** When the key stops working; null for never. */
  expiresAt: string | null
  /** Accurate to a minute; null while it was never used. */
  lastUsedAt: string | null
  revokedAt: string | null
}

/** A key with its secret. */
export interface ApiKeyWithSecret {
  object: 'api_key'
  id: string
  name: string
  /** The first characters of the secret. */
  prefix: string
  /** What the key may do. */
  scopes: (
    | 'sessions:read'
    | 'sessions:write'
    | 'sessions:verify'
    | 'events:read'
    | 'revocations:read'
    | 'keys:write'
  )[]
  /** RFC 3339 in UTC with milliseconds. */
  createdAt: string
  /** When the key stops working; null for never. */
  expiresAt: string | null
  /** Accurate to a minute; null while it was never used. */
  lastUsedAt: string | null
  revokedAt: string | null
  /** Shown here and never again: keep it now. */
  secret: string
}

/** What an erasure has removed. */
export interface Erasure {
  object: 'erasure'
  /** Stands as `erasure_id` in the event `user.erased` once it is completed. */
  id: string
  /** `running` when there is so much to remove that it goes on after the answer. */
  status: 'completed' | 'running'
  /** Sessions that were active, and no longer are. */
  revoked: number
  /** Sessions, living and ended, of which nothing personal is left. */
  sessionsErased: number
  /** Events that no longer name the user. */
  eventsErased: number
}

/** What happened, in the audit trail. */
export interface Event {
  object: 'event'
  id: string
  type:
    | 'session.created'
    | 'session.updated'
    | 'session.revoked'
    | 'sessions.revoked'
    | 'user.erased'
    | 'api_key.created'
    | 'api_key.rotated'
    | 'api_key.revoked'
    | 'signing_key.rotated'
    | 'signing_key.revoked'
    | 'tenant.created'
    | 'tenant.updated'
    | 'tenant.deleted'
  tenantId: string
  sessionId: string | null
  userId: string | null
  /** Id of the API key that did it, `operator` or `system`. */
  actor: string
  /** Facts of this type of event. */
  data: {
    [key: string]: unknown
  }
  /** RFC 3339 in UTC with milliseconds. */
  createdAt: string
}

/** A JWK set (RFC 7517). */
export interface JwkSet {
  keys: {
    kty: 'OKP'
    crv: 'Ed25519'
    /** The public key in base64url (RFC 8037). */
    x: string
    /** RFC 7638 thumbprint of the public key. */
    kid: string
    alg: 'EdDSA'
    use: 'sig'
  }[]
}

/** What a verifier must know. */
export interface Revocation {
  /** Place in the feed of this tenant: grows, not always by one. */
  seq: number
  /** `session_changed`: the session lives on with another role or organisation, so ask `POST /v1/sessions/verify` about its tokens whose `exp` is no more than a second after `forget_after`. `signing_keys_changed`: fetch the JWK set anew. `tenant_changed`: status or settings. */
  type:
    | 'session_revoked'
    | 'sessions_revoked'
    | 'session_changed'
    | 'signing_keys_changed'
    | 'tenant_changed'
  /** The one session, of `session_revoked` and `session_changed`. */
  sessionId: string | null
  /** A bulk revoke with no filter. */
  all: boolean
  /** Filter of a bulk revoke. */
  userId: string | null
  /** Filter of a bulk revoke. */
  orgId: string | null
  /** Filter of a bulk revoke. */
  appId: string | null
  /** Spared by a bulk revoke. */
  exceptSessionId: string | null
  /** A bulk revoke ends sessions whose tokens have a smaller `gen` claim; exact. */
  generation: number | null
  /** The same for who can only compare `iat`; to a second. */
  tokensIssuedBefore: string | null
  /** When it happened. */
  revokedAt: string
  /** No token that it concerns is good for longer. */
  forgetAfter: string
}

/** One authenticated period of one user on one device. */
export interface Session {
  object: 'session'
  /** Id of a session. */
  id: string
  /** Id of the user: ours or the tenant's own. */
  userId: string
  tenantId: string
  orgId: string | null
  appId: string | null
  role: string | null
  status: 'active' | 'expired' | 'revoked'
  /** How the user proved who they are (RFC 8176). */
  amr: string[]
  /** Whether `amr` holds two kinds of factor. */
  mfaVerified: boolean
  /** RFC 3339 in UTC with milliseconds. */
  authTime: string
  userAgent: string | null
  ipAddress: string | null
  country: string | null
  location: string | null
  /** What the session runs on. */
  device: {
    id: string | null
    name: string | null
    type: 'desktop' | 'mobile' | 'tablet' | 'bot' | 'other'
    os: string | null
    browser: string | null
  }
  deviceType: 'desktop' | 'mobile' | 'tablet' | 'bot' | 'other'
  /** The tenant's own: up to 50 string values, 4 KB in all. */
  metadata: {
    [key: string]: string
  }
  /** RFC 3339 in UTC with milliseconds. */
  createdAt: string
  /** RFC 3339 in UTC with milliseconds. */
  lastActiveAt: string
  /** RFC 3339 in UTC with milliseconds. */
  expiresAt: string
  revokedAt: string | null
  revokedBy: string | null
  revokeReason: string | null
}

/** A session and its tokens (RFC 6749, 5.1). */
export interface SessionTokens {
  session: Session
  /** A JWT (RFC 9068) signed with EdDSA. */
  accessToken: string
  tokenType: 'Bearer'
  /** Seconds until the access token expires. */
  expiresIn: number
  /** Good for one use; keep it secret. */
  refreshToken: string
}

/** The public half of a signing key of the tenant. */
export interface SigningKey {
  object: 'signing_key'
  /** RFC 7638 thumbprint of the public key. */
  kid: string
  /** `next` is published and does not sign yet; `retired` no longer signs and is published until the last token it signed has expired. */
  status: 'next' | 'active' | 'retired' | 'revoked'
  /** A public signing key (RFC 7517, RFC 8037). */
  publicJwk: {
    kty: 'OKP'
    crv: 'Ed25519'
    /** The public key in base64url (RFC 8037). */
    x: string
    /** RFC 7638 thumbprint of the public key. */
    kid: string
    alg: 'EdDSA'
    use: 'sig'
  }
  /** RFC 3339 in UTC with milliseconds. */
  createdAt: string
  /** When it begins to sign; null while nothing has called it up. */
  signsFrom: string | null
  /** When it leaves the JWK set; null while that is open. */
  publishedUntil: string | null
  revokedAt: string | null
}

/** An isolated customer of the service. */
export interface Tenant {
  object: 'tenant'
  /** Id of a tenant. */
  id: string
  /** A name that people recognise. */
  name: string
  /** A suspended tenant is answered 403 and its tokens are refused. */
  status: 'active' | 'suspended'
  settings: TenantSettings
  /** RFC 3339 in UTC with milliseconds. */
  createdAt: string
}

/** What a tenant can set. */
export interface TenantSettings {
  /** Seconds that an access token lives. */
  accessTokenTtlSeconds: number
  /** Seconds that a session lives at most. */
  sessionTtlSeconds: number
  /** Seconds without activity after which a session ends; null for never. */
  idleTtlSeconds: number | null
  /** Seconds that the refresh token one step behind is still honoured. */
  refreshGraceSeconds: number
  /** Active sessions that a user may have; null for no limit. */
  maxSessionsPerUser: number | null
  /** What a sign-in beyond the limit does. */
  onLimit: 'revoke_oldest' | 'refuse'
  /** The `aud` of access tokens; null for the tenant id. */
  audience: string | null
  /** Whether refreshing needs no secret key. */
  publicRefresh: boolean
  /** Requests a second that a key may make; a burst may be twice that. */
  rateLimitPerSecond: number
  /** Days after which a session that has ended is deleted. */
  sessionRetentionDays: number
  /** Days after which an event of the audit trail is deleted. */
  eventRetentionDays: number
  /** Lifetimes of single apps, by app id, instead of the general ones. */
  apps: {
    [key: string]: {
      /** Seconds that an access token lives. */
      accessTokenTtlSeconds?: number
      /** Seconds that a session lives at most. */
      sessionTtlSeconds?: number
      /** Seconds without activity after which a session ends; null for never. */
      idleTtlSeconds?: number | null
    }
  }
}

/** Whether an access token is good now; all but `reason` only when it is. */
export interface Verification {
  valid: boolean
  /** Why not; only when `valid` is false. */
  reason?:
    | 'malformed'
    | 'signature_invalid'
    | 'issuer_invalid'
    | 'audience_invalid'
    | 'expired'
    | 'not_yet_valid'
    | 'session_revoked'
    | 'session_expired'
    | 'session_not_found'
  /** Id of a session. */
  sessionId?: string
  /** Id of the user: ours or the tenant's own. */
  userId?: string
  tenantId?: string
  orgId?: string | null
  appId?: string | null
  role?: string | null
  /** How the user proved who they are (RFC 8176). */
  amr?: string[]
  mfaVerified?: boolean
  /** RFC 3339 in UTC with milliseconds. */
  authTime?: string
  /** RFC 3339 in UTC with milliseconds. */
  issuedAt?: string
  /** RFC 3339 in UTC with milliseconds. */
  expiresAt?: string
}

export interface VerifyTokenParams {
  /** The access token. */
  token: string
}

export interface CreateSessionParams {
  /** Id of the user: ours or the tenant's own. */
  userId: string
  orgId?: string | null
  appId?: string | null
  role?: string | null
  /** How the user proved who they are (RFC 8176). */
  amr?: string[]
  /** The user's, not that of the tenant's backend. */
  userAgent?: string | null
  /** The user's IPv4 or IPv6 address. */
  ipAddress?: string | null
  /** What is known of the device; the rest is read from the user agent. */
  device?: {
    id?: string | null
    name?: string | null
    type?: 'desktop' | 'mobile' | 'tablet' | 'bot' | 'other'
    os?: string | null
    browser?: string | null
  } | null
  /** The tenant's own: up to 50 string values, 4 KB in all. */
  metadata?: {
    [key: string]: string
  }
  /** Seconds that this session lives, instead of the tenant's setting. */
  expiresIn?: number
}

export interface ListSessionsParams {
  /** Id of the user: ours or the tenant's own. */
  userId?: string
  /** Id of the organisation: ours or the tenant's own. */
  orgId?: string
  /** Id of the app: ours or the tenant's own. */
  appId?: string
  /** Id of the device: ours or the tenant's own. */
  deviceId?: string
  /**
   * Which sessions.
   * @default active
   */
  status?: 'active' | 'expired' | 'revoked' | 'all'
  /**
   * How many at most.
   * @default 20
   */
  limit?: number
  /** The `next_cursor` of the page before. Only good with the same filters. */
  cursor?: string
}

export interface ListSessionsResult {
  object: 'list'
  data: Session[]
  hasMore: boolean
  /** For the next page; null on the last one. */
  nextCursor: string | null
}

export interface RevokeSessionsParams {
  /** Id of the user: ours or the tenant's own. */
  userId?: string
  /** Id of the organisation: ours or the tenant's own. */
  orgId?: string
  /** Id of the app: ours or the tenant's own. */
  appId?: string
  /** Id of a session. */
  except?: string
  /** Why, for the session and the audit trail. */
  reason?: string
  /**
   * Only count; end nothing.
   * @default false
   */
  dryRun?: boolean
}

export interface RevokeSessionsResult {
  /** Were active, and no longer are. */
  revoked: number
}

export interface UpdateSessionParams {
  /** The tenant's own: up to 50 string values, 4 KB in all. */
  metadata?: {
    [key: string]: string
  }
  role?: string | null
  orgId?: string | null
}

export interface RevokeSessionParams {
  /** Why, for the session and the audit trail. */
  reason?: string
}

export interface DeleteUserSessionsParams {
  /** Why, for the session and the audit trail. */
  reason?: string
  /**
   * Also remove every personal datum of the user. It cannot be taken back.
   * @default false
   */
  erase?: boolean
}

export type DeleteUserSessionsResult =
  | Erasure
  | {
      /** Were active, and no longer are. */
      revoked: number
    }

export interface RefreshSessionParams {
  /** The newest refresh token of the session. */
  refreshToken: string
  /** The user's IPv4 or IPv6 address. */
  ipAddress?: string | null
}

export interface ListRevocationsParams {
  /** The `next_after` of the last answer; none for all that still matters. */
  after?: number
  /**
   * At most.
   * @default 100
   */
  limit?: number
}

export interface ListRevocationsResult {
  object: 'list'
  data: Revocation[]
  hasMore: boolean
  /** Ask with this the next time. */
  nextAfter: number
  /** `after` is beyond the feed: the service was restored. Begin again with none. */
  reset: boolean
}

export interface ListEventsParams {
  sessionId?: string
  userId?: string
  type?:
    | 'session.created'
    | 'session.updated'
    | 'session.revoked'
    | 'sessions.revoked'
    | 'user.erased'
    | 'api_key.created'
    | 'api_key.rotated'
    | 'api_key.revoked'
    | 'signing_key.rotated'
    | 'signing_key.revoked'
    | 'tenant.created'
    | 'tenant.updated'
    | 'tenant.deleted'
  /**
   * How many at most.
   * @default 20
   */
  limit?: number
  /** The `next_cursor` of the page before. Only good with the same filters. */
  cursor?: string
}

export interface ListEventsResult {
  object: 'list'
  data: Event[]
  hasMore: boolean
  /** For the next page; null on the last one. */
  nextCursor: string | null
}

export interface CreateApiKeyParams {
  name: string
  /** What the key may do. */
  scopes?: (
    | 'sessions:read'
    | 'sessions:write'
    | 'sessions:verify'
    | 'events:read'
    | 'revocations:read'
    | 'keys:write'
  )[]
  /** Only marks the secret; default `live`. */
  mode?: 'live' | 'test'
  expiresAt?: string | null
  /** Seconds until the key stops working, instead of `expires_at`. */
  expiresIn?: number
}

export interface ListApiKeysParams {
  /**
   * How many at most.
   * @default 20
   */
  limit?: number
  /** The `next_cursor` of the page before. Only good with the same filters. */
  cursor?: string
}

export interface ListApiKeysResult {
  object: 'list'
  data: ApiKey[]
  hasMore: boolean
  /** For the next page; null on the last one. */
  nextCursor: string | null
}

export interface RotateApiKeyParams {
  /**
   * Seconds that the secrets from before go on working; default 0.
   * @default 0
   */
  overlapSeconds?: number
}

export interface ListSigningKeysResult {
  object: 'list'
  data: SigningKey[]
  hasMore: false
  nextCursor: null
}

export interface RevokeSigningKeyParams {
  reason?: string
}

export interface CreateTenantParams {
  /** A name that people recognise. */
  name: string
  /** A suspended tenant is answered 403 and its tokens are refused. */
  status?: 'active' | 'suspended'
  settings?: {
    /** Seconds that an access token lives. */
    accessTokenTtlSeconds?: number
    /** Seconds that a session lives at most. */
    sessionTtlSeconds?: number
    /** Seconds without activity after which a session ends; null for never. */
    idleTtlSeconds?: number | null
    /** Seconds that the refresh token one step behind is still honoured. */
    refreshGraceSeconds?: number
    /** Active sessions that a user may have; null for no limit. */
    maxSessionsPerUser?: number | null
    /** What a sign-in beyond the limit does. */
    onLimit?: 'revoke_oldest' | 'refuse'
    /** The `aud` of access tokens; null for the tenant id. */
    audience?: string | null
    /** Whether refreshing needs no secret key. */
    publicRefresh?: boolean
    /** Requests a second that a key may make; a burst may be twice that. */
    rateLimitPerSecond?: number
    /** Days after which a session that has ended is deleted. */
    sessionRetentionDays?: number
    /** Days after which an event of the audit trail is deleted. */
    eventRetentionDays?: number
    /** Lifetimes of single apps, by app id, instead of the general ones. */
    apps?: {
      [key: string]: {
        /** Seconds that an access token lives. */
        accessTokenTtlSeconds?: number
        /** Seconds that a session lives at most. */
        sessionTtlSeconds?: number
        /** Seconds without activity after which a session ends; null for never. */
        idleTtlSeconds?: number | null
      }
    }
  }
}

export interface CreateTenantResult {
  tenant: Tenant
  apiKey: ApiKeyWithSecret
}

export interface ListTenantsParams {
  /**
   * How many at most.
   * @default 20
   */
  limit?: number
  /** The `next_cursor` of the page before. Only good with the same filters. */
  cursor?: string
}

export interface ListTenantsResult {
  object: 'list'
  data: Tenant[]
  hasMore: boolean
  /** For the next page; null on the last one. */
  nextCursor: string | null
}

export interface UpdateTenantParams {
  /** A name that people recognise. */
  name?: string
  /** A suspended tenant is answered 403 and its tokens are refused. */
  status?: 'active' | 'suspended'
  settings?: {
    /** Seconds that an access token lives. */
    accessTokenTtlSeconds?: number
    /** Seconds that a session lives at most. */
    sessionTtlSeconds?: number
    /** Seconds without activity after which a session ends; null for never. */
    idleTtlSeconds?: number | null
    /** Seconds that the refresh token one step behind is still honoured. */
    refreshGraceSeconds?: number
    /** Active sessions that a user may have; null for no limit. */
    maxSessionsPerUser?: number | null
    /** What a sign-in beyond the limit does. */
    onLimit?: 'revoke_oldest' | 'refuse'
    /** The `aud` of access tokens; null for the tenant id. */
    audience?: string | null
    /** Whether refreshing needs no secret key. */
    publicRefresh?: boolean
    /** Requests a second that a key may make; a burst may be twice that. */
    rateLimitPerSecond?: number
    /** Days after which a session that has ended is deleted. */
    sessionRetentionDays?: number
    /** Days after which an event of the audit trail is deleted. */
    eventRetentionDays?: number
    /** Lifetimes of single apps, by app id, instead of the general ones. */
    apps?: {
      [key: string]: {
        /** Seconds that an access token lives. */
        accessTokenTtlSeconds?: number
        /** Seconds that a session lives at most. */
        sessionTtlSeconds?: number
        /** Seconds without activity after which a session ends; null for never. */
        idleTtlSeconds?: number | null
      }
    }
  }
}
