import type { Static } from 'typebox'
import { Type } from '../shared/type.ts'

/** RFC 7662, 2.1 and RFC 7009, 2.1: a form. `client_id` may come with it, and says nothing here. */
export const TokenForm = Type.Object(
  {
    token: Type.String({ maxLength: 16_384, description: 'An access token or a refresh token.' }),
    token_type_hint: Type.Optional(
      Type.String({ maxLength: 64, description: '`access_token` or `refresh_token`; not needed.' }),
    ),
    client_id: Type.Optional(Type.String({ maxLength: 256 })),
  },
  { additionalProperties: false },
)
export type TokenForm = Static<typeof TokenForm>

/** RFC 7662, 2.2. Of a token that is not good, `active` alone. */
export const Introspection = Type.Object(
  {
    active: Type.Boolean(),
    token_type: Type.Optional(Type.Enum(['Bearer', 'refresh_token'])),
    iss: Type.Optional(Type.String()),
    sub: Type.Optional(Type.String({ description: 'The user.' })),
    aud: Type.Optional(Type.String()),
    client_id: Type.Optional(
      Type.String({ description: 'The app; left out where there is none.' }),
    ),
    exp: Type.Optional(Type.Integer()),
    iat: Type.Optional(Type.Integer()),
    jti: Type.Optional(Type.String()),
    sid: Type.Optional(Type.String({ description: 'The session.' })),
    tenant_id: Type.Optional(Type.String()),
    org_id: Type.Optional(Type.String()),
    role: Type.Optional(Type.String()),
    auth_time: Type.Optional(Type.Integer()),
    amr: Type.Optional(Type.Array(Type.String())),
    mfa_verified: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false, description: 'The state of a token (RFC 7662).' },
)
export type Introspection = Static<typeof Introspection>
