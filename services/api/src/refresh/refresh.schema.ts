import type { Static } from 'typebox'
import { IpAddress } from '../sessions/sessions.schema.ts'
import { Type } from '../shared/type.ts'

export const RefreshSession = Type.Object(
  {
    refresh_token: Type.String({
      maxLength: 8_192,
      description: 'The newest refresh token of the session.',
    }),
    ip_address: Type.Optional(IpAddress),
  },
  { additionalProperties: false },
)
export type RefreshSession = Static<typeof RefreshSession>
