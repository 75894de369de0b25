import type { Static } from 'typebox'
import { FOREIGN_ID_PATTERN, idPattern } from '../shared/ids.ts'
import { Type } from '../shared/type.ts'
import { RevokeSessionQuery } from './sessions.schema.ts'

export const UserParams = Type.Object(
  {
    userId: Type.String({
      pattern: FOREIGN_ID_PATTERN,
      description: "Id of the user: ours or the tenant's own.",
      examples: ['usr_42'],
    }),
  },
  { additionalProperties: false },
)

export const DeleteUserSessionsQuery = Type.Object(
  {
    ...RevokeSessionQuery.properties,
    erase: Type.Optional(
      Type.Boolean({
        default: false,
        description: 'Also remove every personal datum of the user. It cannot be taken back.',
      }),
    ),
  },
  { additionalProperties: false },
)

const count = (description: string) => Type.Integer({ minimum: 0, description })

export const Erasure = Type.Object(
  {
    object: Type.Literal('erasure'),
    id: Type.String({
      pattern: idPattern('ers'),
      description: 'Stands as `erasure_id` in the event `user.erased` once it is completed.',
    }),
    status: Type.Enum(['completed', 'running'], {
      description: '`running` when there is so much to remove that it goes on after the answer.',
    }),
    revoked: count('Sessions that were active, and no longer are.'),
    sessions_erased: count('Sessions, living and ended, of which nothing personal is left.'),
    events_erased: count('Events that no longer name the user.'),
  },
  { additionalProperties: false, description: 'What an erasure has removed.' },
)
export type Erasure = Static<typeof Erasure>
