import type { Static } from 'typebox'
import { idPattern } from '../shared/ids.ts'
import { Instant, Nullable, PageQuery } from '../shared/schema.ts'
import { Type } from '../shared/type.ts'

export const SCOPES = [
  'sessions:read',
  'sessions:write',
  'sessions:verify',
  'events:read',
  'revocations:read',
  'keys:write',
] as const

const Scopes = Type.Array(Type.Enum([...SCOPES]), {
  minItems: 1,
  maxItems: SCOPES.length,
  uniqueItems: true,
  description: 'What the key may do.',
})

const ApiKeyId = Type.String({
  pattern: idPattern('key'),
  examples: ['key_01K3Z8Q5V7M2N4P6R8S0T1W3X5'],
})
const name = Type.String({ minLength: 1, maxLength: 128, examples: ['Backend, production'] })

const fields = {
  object: Type.Literal('api_key'),
  id: ApiKeyId,
  name,
  prefix: Type.String({ description: 'The first characters of the secret.' }),
  scopes: Scopes,
  created_at: Instant,
  expires_at: Nullable(Instant, 'When the key stops working; null for never.'),
  last_used_at: Nullable(Instant, 'Accurate to a minute; null while it was never used.'),
  revoked_at: Nullable(Instant),
}

export const ApiKey = Type.Object(fields, {
  additionalProperties: false,
  description: 'A key of a tenant, without its secret.',
})
export type ApiKey = Static<typeof ApiKey>

export const ApiKeyWithSecret = Type.Object(
  {
    ...fields,
    secret: Type.String({ description: 'Shown here and never again: keep it now.' }),
  },
  { additionalProperties: false, description: 'A key with its secret.' },
)
export type ApiKeyWithSecret = Static<typeof ApiKeyWithSecret>

const MAX_EXPIRY_SECONDS = 10 * 366 * 86_400

export const CreateApiKey = Type.Object(
  {
    name,
    scopes: Type.Optional(Scopes),
    mode: Type.Optional(
      Type.Enum(['live', 'test'], { description: 'Only marks the secret; default `live`.' }),
    ),
    expires_at: Type.Optional(Nullable(Instant)),
    expires_in: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: MAX_EXPIRY_SECONDS,
        description: 'Seconds until the key stops working, instead of `expires_at`.',
      }),
    ),
  },
  { additionalProperties: false },
)
export type CreateApiKey = Static<typeof CreateApiKey>

export const MAX_OVERLAP_SECONDS = 30 * 86_400

export const RotateApiKey = Type.Object(
  {
    overlap_seconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: MAX_OVERLAP_SECONDS,
        default: 0,
        description: 'Seconds that the secrets from before go on working; default 0.',
      }),
    ),
  },
  { additionalProperties: false },
)
export type RotateApiKey = Static<typeof RotateApiKey>

export const ApiKeyParams = Type.Object({ apiKeyId: ApiKeyId }, { additionalProperties: false })
export const ListApiKeysQuery = Type.Object({ ...PageQuery }, { additionalProperties: false })
export type ListApiKeysQuery = Static<typeof ListApiKeysQuery>
