import type { Static } from 'typebox'
import { FOREIGN_ID_PATTERN, idPattern } from '../shared/ids.ts'
import { Instant, Nullable, PageQuery } from '../shared/schema.ts'
import { Type } from '../shared/type.ts'

const DEVICE_TYPES = ['desktop', 'mobile', 'tablet', 'bot', 'other'] as const
const MAX_METADATA_KEYS = 50
/** Of the metadata as JSON, in bytes. */
export const MAX_METADATA_BYTES = 4096

export const SessionId = Type.String({
  pattern: idPattern('ses'),
  description: 'Id of a session.',
  examples: ['ses_01K3Z8Q5V7M2N4P6R8S0T1W3X5'],
})

const foreignId = (what: string, example: string) =>
  Type.String({
    pattern: FOREIGN_ID_PATTERN,
    description: `Id of the ${what}: ours or the tenant's own.`,
    examples: [example],
  })
const UserId = foreignId('user', 'usr_42')
const OrgId = foreignId('organisation', 'org_7')
const AppId = foreignId('app', 'web')
const DeviceId = foreignId('device', 'dev_1')

const Role = Type.String({
  minLength: 1,
  maxLength: 64,
  pattern: '^[\\x21-\\x7e]+$',
  description: "The user's role, as the tenant names it.",
  examples: ['member'],
})

const Amr = Type.Array(Type.String({ pattern: '^[A-Za-z0-9_:.-]{1,32}$' }), {
  maxItems: 16,
  uniqueItems: true,
  description: 'How the user proved who they are (RFC 8176).',
  examples: [['pwd', 'otp']],
})

const Metadata = Type.Record(
  Type.String({ pattern: '^[\\s\\S]{1,64}$' }),
  Type.String({ maxLength: MAX_METADATA_BYTES }),
  {
    maxProperties: MAX_METADATA_KEYS,
    description: "The tenant's own: up to 50 string values, 4 KB in all.",
    examples: [{ plan: 'pro' }],
  },
)

const text = (maxLength: number) => Type.String({ minLength: 1, maxLength })
const DeviceType = Type.Enum([...DEVICE_TYPES])

/** The form is checked by the service, which knows every spelling. */
export const IpAddress = Nullable(
  Type.String({ minLength: 2, maxLength: 45 }),
  "The user's IPv4 or IPv6 address.",
)

const Device = Type.Object(
  {
    id: Nullable(DeviceId),
    name: Nullable(Type.String()),
    type: DeviceType,
    os: Nullable(Type.String()),
    browser: Nullable(Type.String()),
  },
  { additionalProperties: false, description: 'What the session runs on.' },
)

export const SESSION_STATUSES = ['active', 'expired', 'revoked'] as const

export const Session = Type.Object(
  {
    object: Type.Literal('session'),
    id: SessionId,
    user_id: UserId,
    tenant_id: Type.String(),
    org_id: Nullable(OrgId),
    app_id: Nullable(AppId),
    role: Nullable(Role),
    status: Type.Enum([...SESSION_STATUSES]),
    amr: Amr,
    mfa_verified: Type.Boolean({ description: 'Whether `amr` holds two kinds of factor.' }),
    auth_time: Instant,
    user_agent: Nullable(Type.String()),
    ip_address: Nullable(Type.String()),
    country: Nullable(Type.String({ description: 'ISO 3166-1 alpha-2.' })),
    location: Nullable(Type.String()),
    device: Device,
    device_type: DeviceType,
    metadata: Metadata,
    created_at: Instant,
    last_active_at: Instant,
    expires_at: Instant,
    revoked_at: Nullable(Instant),
    revoked_by: Nullable(Type.String()),
    revoke_reason: Nullable(Type.String()),
  },
  {
    additionalProperties: false,
    description: 'One authenticated period of one user on one device.',
  },
)
export type Session = Static<typeof Session>

export const CreateSession = Type.Object(
  {
    user_id: UserId,
    org_id: Type.Optional(Nullable(OrgId)),
    app_id: Type.Optional(Nullable(AppId)),
    role: Type.Optional(Nullable(Role)),
    amr: Type.Optional(Amr),
    user_agent: Type.Optional(
      Nullable(Type.String({ maxLength: 8192 }), "The user's, not that of the tenant's backend."),
    ),
    ip_address: Type.Optional(IpAddress),
    device: Type.Optional(
      Nullable(
        Type.Object(
          {
            id: Type.Optional(Nullable(DeviceId)),
            name: Type.Optional(Nullable(text(128))),
            type: Type.Optional(DeviceType),
            os: Type.Optional(Nullable(text(64))),
            browser: Type.Optional(Nullable(text(64))),
          },
          { additionalProperties: false },
        ),
        'What is known of the device; the rest is read from the user agent.',
      ),
    ),
    metadata: Type.Optional(Metadata),
    expires_in: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 31_622_400,
        description: "Seconds that this session lives, instead of the tenant's setting.",
      }),
    ),
  },
  { additionalProperties: false },
)
export type CreateSession = Static<typeof CreateSession>

export const SessionTokens = Type.Object(
  {
    session: Session,
    access_token: Type.String({ description: 'A JWT (RFC 9068) signed with EdDSA.' }),
    token_type: Type.Literal('Bearer'),
    expires_in: Type.Integer({ description: 'Seconds until the access token expires.' }),
    refresh_token: Type.String({ description: 'Good for one use; keep it secret.' }),
  },
  { additionalProperties: false, description: 'A session and its tokens (RFC 6749, 5.1).' },
)
export type SessionTokens = Static<typeof SessionTokens>

export const UpdateSession = Type.Object(
  {
    metadata: Type.Optional(Metadata),
    role: Type.Optional(Nullable(Role)),
    org_id: Type.Optional(Nullable(OrgId)),
  },
  { additionalProperties: false, minProperties: 1 },
)
export type UpdateSession = Static<typeof UpdateSession>

export const SessionParams = Type.Object({ sessionId: SessionId }, { additionalProperties: false })

const Reason = Type.String({
  minLength: 1,
  maxLength: 256,
  description: 'Why, for the session and the audit trail.',
  examples: ['signed_out'],
})

export const ListSessionsQuery = Type.Object(
  {
    user_id: Type.Optional(UserId),
    org_id: Type.Optional(OrgId),
    app_id: Type.Optional(AppId),
    device_id: Type.Optional(DeviceId),
    status: Type.Optional(
      Type.Enum([...SESSION_STATUSES, 'all'], {
        default: 'active',
        description: 'Which sessions.',
      }),
    ),
    ...PageQuery,
  },
  { additionalProperties: false },
)
export type ListSessionsQuery = Static<typeof ListSessionsQuery>

export const RevokeSessionQuery = Type.Object(
  { reason: Type.Optional(Reason) },
  { additionalProperties: false },
)

export const RevokeSessionsQuery = Type.Object(
  {
    user_id: Type.Optional(UserId),
    org_id: Type.Optional(OrgId),
    app_id: Type.Optional(AppId),
    except: Type.Optional(SessionId),
    reason: Type.Optional(Reason),
    dry_run: Type.Optional(
      Type.Boolean({ default: false, description: 'Only count; end nothing.' }),
    ),
  },
  { additionalProperties: false },
)
export type RevokeSessionsQuery = Static<typeof RevokeSessionsQuery>

export const RevokedCount = Type.Object(
  { revoked: Type.Integer({ minimum: 0, description: 'Were active, and no longer are.' }) },
  { additionalProperties: false },
)

/** Longer than any body that a token could matter in; beyond it the answer is 413. */
export const MAX_VERIFY_BODY_BYTES = 4 * 1024 * 1024

export const VerifyToken = Type.Object(
  { token: Type.String({ description: 'The access token.' }) },
  { additionalProperties: false },
)

export const INVALID_REASONS = [
  'malformed',
  'signature_invalid',
  'issuer_invalid',
  'audience_invalid',
  'expired',
  'not_yet_valid',
  'session_revoked',
  'session_expired',
  'session_not_found',
] as const
export type InvalidReason = (typeof INVALID_REASONS)[number]

// One object with optional members rather than a union of two: it is serialised many times a
// second, and the compiled serialiser of a union tries each branch.
export const Verification = Type.Object(
  {
    valid: Type.Boolean(),
    reason: Type.Optional(
      Type.Enum([...INVALID_REASONS], { description: 'Why not; only when `valid` is false.' }),
    ),
    session_id: Type.Optional(SessionId),
    user_id: Type.Optional(UserId),
    tenant_id: Type.Optional(Type.String()),
    org_id: Type.Optional(Nullable(OrgId)),
    app_id: Type.Optional(Nullable(AppId)),
    role: Type.Optional(Nullable(Role)),
    amr: Type.Optional(Amr),
    mfa_verified: Type.Optional(Type.Boolean()),
    auth_time: Type.Optional(Instant),
    issued_at: Type.Optional(Instant),
    expires_at: Type.Optional(Instant),
  },
  {
    additionalProperties: false,
    description: 'Whether an access token is good now; all but `reason` only when it is.',
  },
)
export type Verification = Static<typeof Verification>
