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
  request_id: string
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
  created_at: string
  /** When the key stops working; null for never. */
  expires_at: string | null
  /** Accurate to a minute; null while it was never used. */
  last_used_at: string | null
  revoked_at: string | null
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
  created_at: string
  /** When the key stops working; null for never. */
  expires_at: string | null
  /** Accurate to a minute; null while it was never used. */
  last_used_at: string | null
  revoked_at: string | null
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
  sessions_erased: number
  /** Events that no longer name the user. */
  events_erased: number
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
  tenant_id: string
  session_id: string | null
  user_id: string | null
  /** Id of the API key that did it, `operator` or `system`. */
  actor: string
  /** Facts of this type of event. */
  data: {
    [key: string]: unknown
  }
  /** RFC 3339 in UTC with milliseconds. */
  created_at: string
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
  session_id: string | null
  /** A bulk revoke with no filter. */
  all: boolean
  /** Filter of a bulk revoke. */
  user_id: string | null
  /** Filter of a bulk revoke. */
  org_id: string | null
  /** Filter of a bulk revoke. */
  app_id: string | null
  /** Spared by a bulk revoke. */
  except_session_id: string | null
  /** A bulk revoke ends sessions whose tokens have a smaller `gen` claim; exact. */
  generation: number | null
  /** The same for who can only compare `iat`; to a second. */
  tokens_issued_before: string | null
  /** When it happened. */
  revoked_at: string
  /** No token that it concerns is good for longer. */
  forget_after: string
}

/** One authenticated period of one user on one device. */
export interface Session {
  object: 'session'
  /** Id of a session. */
  id: string
  /** Id of the user: ours or the tenant's own. */
  user_id: string
  tenant_id: string
  org_id: string | null
  app_id: string | null
  role: string | null
  status: 'active' | 'expired' | 'revoked'
  /** How the user proved who they are (RFC 8176). */
  amr: string[]
  /** Whether `amr` holds two kinds of factor. */
  mfa_verified: boolean
  /** RFC 3339 in UTC with milliseconds. */
  auth_time: string
  user_agent: string | null
  ip_address: string | null
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
  device_type: 'desktop' | 'mobile' | 'tablet' | 'bot' | 'other'
  /** The tenant's own: up to 50 string values, 4 KB in all. */
  metadata: {
    [key: string]: string
  }
  /** RFC 3339 in UTC with milliseconds. */
  created_at: string
  /** RFC 3339 in UTC with milliseconds. */
  last_active_at: string
  /** RFC 3339 in UTC with milliseconds. */
  expires_at: string
  revoked_at: string | null
  revoked_by: string | null
  revoke_reason: string | null
}

/** A session and its tokens (RFC 6749, 5.1). */
export interface SessionTokens {
  session: Session
  /** A JWT (RFC 9068) signed with EdDSA. */
  access_token: string
  token_type: 'Bearer'
  /** Seconds until the access token expires. */
  expires_in: number
  /** Good for one use; keep it secret. */
  refresh_token: string
}

/** The public half of a signing key of the tenant. */
export interface SigningKey {
  object: 'signing_key'
  /** RFC 7638 thumbprint of the public key. */
  kid: string
  /** `next` is published and does not sign yet; `retired` no longer signs and is published until the last token it signed has expired. */
  status: 'next' | 'active' | 'retired' | 'revoked'
  /** A public signing key (RFC 7517, RFC 8037). */
  public_jwk: {
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
  created_at: string
  /** When it begins to sign; null while nothing has called it up. */
  signs_from: string | null
  /** When it leaves the JWK set; null while that is open. */
  published_until: string | null
  revoked_at: string | null
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
  created_at: string
}

/** What a tenant can set. */
export interface TenantSettings {
  /** Seconds that an access token lives. */
  access_token_ttl_seconds: number
  /** Seconds that a session lives at most. */
  session_ttl_seconds: number
  /** Seconds without activity after which a session ends; null for never. */
  idle_ttl_seconds: number | null
  /** Seconds that the refresh token one step behind is still honoured. */
  refresh_grace_seconds: number
  /** Active sessions that a user may have; null for no limit. */
  max_sessions_per_user: number | null
  /** What a sign-in beyond the limit does. */
  on_limit: 'revoke_oldest' | 'refuse'
  /** The `aud` of access tokens; null for the tenant id. */
  audience: string | null
  /** Whether refreshing needs no secret key. */
  public_refresh: boolean
  /** Requests a second that a key may make; a burst may be twice that. */
  rate_limit_per_second: number
  /** Days after which a session that has ended is deleted. */
  session_retention_days: number
  /** Days after which an event of the audit trail is deleted. */
  event_retention_days: number
  /** Lifetimes of single apps, by app id, instead of the general ones. */
  apps: {
    [key: string]: {
      /** Seconds that an access token lives. */
      access_token_ttl_seconds?: number
      /** Seconds that a session lives at most. */
      session_ttl_seconds?: number
      /** Seconds without activity after which a session ends; null for never. */
      idle_ttl_seconds?: number | null
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
  session_id?: string
  /** Id of the user: ours or the tenant's own. */
  user_id?: string
  tenant_id?: string
  org_id?: string | null
  app_id?: string | null
  role?: string | null
  /** How the user proved who they are (RFC 8176). */
  amr?: string[]
  mfa_verified?: boolean
  /** RFC 3339 in UTC with milliseconds. */
  auth_time?: string
  /** RFC 3339 in UTC with milliseconds. */
  issued_at?: string
  /** RFC 3339 in UTC with milliseconds. */
  expires_at?: string
}

export interface VerifyTokenParams {
  /** The access token. */
  token: string
}

export interface CreateSessionParams {
  /** Id of the user: ours or the tenant's own. */
  user_id: string
  org_id?: string | null
  app_id?: string | null
  role?: string | null
  /** How the user proved who they are (RFC 8176). */
  amr?: string[]
  /** The user's, not that of the tenant's backend. */
  user_agent?: string | null
  /** The user's IPv4 or IPv6 address. */
  ip_address?: string | null
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
  expires_in?: number
}

export interface ListSessionsParams {
  /** Id of the user: ours or the tenant's own. */
  user_id?: string
  /** Id of the organisation: ours or the tenant's own. */
  org_id?: string
  /** Id of the app: ours or the tenant's own. */
  app_id?: string
  /** Id of the device: ours or the tenant's own. */
  device_id?: string
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
  has_more: boolean
  /** For the next page; null on the last one. */
  next_cursor: string | null
}

export interface RevokeSessionsParams {
  /** Id of the user: ours or the tenant's own. */
  user_id?: string
  /** Id of the organisation: ours or the tenant's own. */
  org_id?: string
  /** Id of the app: ours or the tenant's own. */
  app_id?: string
  /** Id of a session. */
  except?: string
  /** Why, for the session and the audit trail. */
  reason?: string
  /**
   * Only count; end nothing.
   * @default false
   */
  dry_run?: boolean
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
  org_id?: string | null
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
  refresh_token: string
  /** The user's IPv4 or IPv6 address. */
  ip_address?: string | null
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
  has_more: boolean
  /** Ask with this the next time. */
  next_after: number
  /** `after` is beyond the feed: the service was restored. Begin again with none. */
  reset: boolean
}

export interface ListEventsParams {
  session_id?: string
  user_id?: string
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
  has_more: boolean
  /** For the next page; null on the last one. */
  next_cursor: string | null
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
  expires_at?: string | null
  /** Seconds until the key stops working, instead of `expires_at`. */
  expires_in?: number
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
  has_more: boolean
  /** For the next page; null on the last one. */
  next_cursor: string | null
}

export interface RotateApiKeyParams {
  /**
   * Seconds that the secrets from before go on working; default 0.
   * @default 0
   */
  overlap_seconds?: number
}

export interface ListSigningKeysResult {
  object: 'list'
  data: SigningKey[]
  has_more: false
  next_cursor: null
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
    access_token_ttl_seconds?: number
    /** Seconds that a session lives at most. */
    session_ttl_seconds?: number
    /** Seconds without activity after which a session ends; null for never. */
    idle_ttl_seconds?: number | null
    /** Seconds that the refresh token one step behind is still honoured. */
    refresh_grace_seconds?: number
    /** Active sessions that a user may have; null for no limit. */
    max_sessions_per_user?: number | null
    /** What a sign-in beyond the limit does. */
    on_limit?: 'revoke_oldest' | 'refuse'
    /** The `aud` of access tokens; null for the tenant id. */
    audience?: string | null
    /** Whether refreshing needs no secret key. */
    public_refresh?: boolean
    /** Requests a second that a key may make; a burst may be twice that. */
    rate_limit_per_second?: number
    /** Days after which a session that has ended is deleted. */
    session_retention_days?: number
    /** Days after which an event of the audit trail is deleted. */
    event_retention_days?: number
    /** Lifetimes of single apps, by app id, instead of the general ones. */
    apps?: {
      [key: string]: {
        /** Seconds that an access token lives. */
        access_token_ttl_seconds?: number
        /** Seconds that a session lives at most. */
        session_ttl_seconds?: number
        /** Seconds without activity after which a session ends; null for never. */
        idle_ttl_seconds?: number | null
      }
    }
  }
}

export interface CreateTenantResult {
  tenant: Tenant
  api_key: ApiKeyWithSecret
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
  has_more: boolean
  /** For the next page; null on the last one. */
  next_cursor: string | null
}

export interface UpdateTenantParams {
  /** A name that people recognise. */
  name?: string
  /** A suspended tenant is answered 403 and its tokens are refused. */
  status?: 'active' | 'suspended'
  settings?: {
    /** Seconds that an access token lives. */
    access_token_ttl_seconds?: number
    /** Seconds that a session lives at most. */
    session_ttl_seconds?: number
    /** Seconds without activity after which a session ends; null for never. */
    idle_ttl_seconds?: number | null
    /** Seconds that the refresh token one step behind is still honoured. */
    refresh_grace_seconds?: number
    /** Active sessions that a user may have; null for no limit. */
    max_sessions_per_user?: number | null
    /** What a sign-in beyond the limit does. */
    on_limit?: 'revoke_oldest' | 'refuse'
    /** The `aud` of access tokens; null for the tenant id. */
    audience?: string | null
    /** Whether refreshing needs no secret key. */
    public_refresh?: boolean
    /** Requests a second that a key may make; a burst may be twice that. */
    rate_limit_per_second?: number
    /** Days after which a session that has ended is deleted. */
    session_retention_days?: number
    /** Days after which an event of the audit trail is deleted. */
    event_retention_days?: number
    /** Lifetimes of single apps, by app id, instead of the general ones. */
    apps?: {
      [key: string]: {
        /** Seconds that an access token lives. */
        access_token_ttl_seconds?: number
        /** Seconds that a session lives at most. */
        session_ttl_seconds?: number
        /** Seconds without activity after which a session ends; null for never. */
        idle_ttl_seconds?: number | null
      }
    }
  }
}
