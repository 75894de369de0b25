import type { Static } from 'typebox'
import { FOREIGN_ID_PATTERN, idPattern } from '../shared/ids.ts'
import { Instant, Nullable, PageQuery } from '../shared/schema.ts'
import { Type } from '../shared/type.ts'

const DAY_SECONDS = 86_400
/** No access token lives longer, whatever a tenant sets. */
export const MAX_ACCESS_TOKEN_TTL_SECONDS = DAY_SECONDS
const YEAR_SECONDS = 366 * DAY_SECONDS
/** Longer than any token lives: a session is never deleted while one of its tokens could be good. */
const MIN_SESSION_RETENTION_DAYS = 2
/** Long enough for somebody to notice what the trail tells. */
const MIN_EVENT_RETENTION_DAYS = 7
const MAX_RETENTION_DAYS = 3_660

const accessTokenTtl = Type.Integer({
  minimum: 30,
  maximum: MAX_ACCESS_TOKEN_TTL_SECONDS,
  description: 'Seconds that an access token lives.',
})
const sessionTtl = Type.Integer({
  minimum: 60,
  maximum: YEAR_SECONDS,
  description: 'Seconds that a session lives at most.',
})
const idleTtl = Nullable(
  Type.Integer({ minimum: 60, maximum: YEAR_SECONDS }),
  'Seconds without activity after which a session ends; null for never.',
)

const AppLifetimes = Type.Object(
  {
    access_token_ttl_seconds: Type.Optional(accessTokenTtl),
    session_ttl_seconds: Type.Optional(sessionTtl),
    idle_ttl_seconds: Type.Optional(idleTtl),
  },
  { additionalProperties: false, minProperties: 1 },
)

export const TenantSettings = Type.Object(
  {
    access_token_ttl_seconds: accessTokenTtl,
    session_ttl_seconds: sessionTtl,
    idle_ttl_seconds: idleTtl,
    refresh_grace_seconds: Type.Integer({
      minimum: 0,
      maximum: 300,
      description: 'Seconds that the refresh token one step behind is still honoured.',
    }),
    max_sessions_per_user: Nullable(
      Type.Integer({ minimum: 1, maximum: 10_000 }),
      'Active sessions that a user may have; null for no limit.',
    ),
    on_limit: Type.Enum(['revoke_oldest', 'refuse'], {
      description: 'What a sign-in beyond the limit does.',
    }),
    audience: Nullable(
      Type.String({ minLength: 1, maxLength: 256, pattern: '^[\\x21-\\x7e]+$' }),
      'The `aud` of access tokens; null for the tenant id.',
    ),
    public_refresh: Type.Boolean({ description: 'Whether refreshing needs no secret key.' }),
    rate_limit_per_second: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      description: 'Requests a second that a key may make; a burst may be twice that.',
    }),
    session_retention_days: Type.Integer({
      minimum: MIN_SESSION_RETENTION_DAYS,
      maximum: MAX_RETENTION_DAYS,
      description: 'Days after which a session that has ended is deleted.',
    }),
    event_retention_days: Type.Integer({
      minimum: MIN_EVENT_RETENTION_DAYS,
      maximum: MAX_RETENTION_DAYS,
      description: 'Days after which an event of the audit trail is deleted.',
    }),
    apps: Type.Record(Type.String({ pattern: FOREIGN_ID_PATTERN }), AppLifetimes, {
      maxProperties: 100,
      description: 'Lifetimes of single apps, by app id, instead of the general ones.',
    }),
  },
  { additionalProperties: false, description: 'What a tenant can set.' },
)
export type TenantSettings = Static<typeof TenantSettings>

export const DEFAULT_SETTINGS: TenantSettings = {
  access_token_ttl_seconds: 900,
  session_ttl_seconds: 2_592_000,
  idle_ttl_seconds: 1_209_600,
  refresh_grace_seconds: 10,
  max_sessions_per_user: null,
  on_limit: 'revoke_oldest',
  audience: null,
  public_refresh: false,
  rate_limit_per_second: 1_000,
  session_retention_days: 90,
  event_retention_days: 365,
  apps: {},
}

/** The lifetimes of a session of this app: its own, or else the tenant's. */
export function lifetimesOf(settings: TenantSettings, appId: string | null) {
  const app = appId !== null && Object.hasOwn(settings.apps, appId) ? settings.apps[appId] : {}
  return {
    accessTokenTtlSeconds: app?.access_token_ttl_seconds ?? settings.access_token_ttl_seconds,
    sessionTtlSeconds: app?.session_ttl_seconds ?? settings.session_ttl_seconds,
    idleTtlSeconds:
      app?.idle_ttl_seconds === undefined ? settings.idle_ttl_seconds : app.idle_ttl_seconds,
  }
}

/** When a session ends that was last active at this time: by its age or by being idle. */
export const endOf = (
  lastActiveMs: number,
  expiresAtMs: number,
  idleTtlSeconds: number | null,
): number =>
  idleTtlSeconds === null
    ? expiresAtMs
    : Math.min(expiresAtMs, lastActiveMs + idleTtlSeconds * 1000)

export const TenantId = Type.String({
  pattern: idPattern('tnt'),
  description: 'Id of a tenant.',
  examples: ['tnt_01K3Z8Q5V7M2N4P6R8S0T1W3X5'],
})

const name = Type.String({
  minLength: 1,
  maxLength: 128,
  description: 'A name that people recognise.',
  examples: ['Acme'],
})

const status = Type.Enum(['active', 'suspended'], {
  description: 'A suspended tenant is answered 403 and its tokens are refused.',
})

export const Tenant = Type.Object(
  {
    object: Type.Literal('tenant'),
    id: TenantId,
    name,
    status,
    settings: TenantSettings,
    created_at: Instant,
  },
  { additionalProperties: false, description: 'An isolated customer of the service.' },
)
export type Tenant = Static<typeof Tenant>

export const CreateTenant = Type.Object(
  { name, status: Type.Optional(status), settings: Type.Optional(Type.Partial(TenantSettings)) },
  { additionalProperties: false },
)
export type CreateTenant = Static<typeof CreateTenant>

export const UpdateTenant = Type.Object(
  {
    name: Type.Optional(name),
    status: Type.Optional(status),
    settings: Type.Optional(Type.Partial(TenantSettings)),
  },
  { additionalProperties: false, minProperties: 1 },
)
export type UpdateTenant = Static<typeof UpdateTenant>

export const TenantParams = Type.Object({ tenantId: TenantId }, { additionalProperties: false })

export const ListTenantsQuery = Type.Object({ ...PageQuery }, { additionalProperties: false })
