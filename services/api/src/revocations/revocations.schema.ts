import type { Static } from 'typebox'
import { Instant, Nullable } from '../shared/schema.ts'
import { Type } from '../shared/type.ts'

export const MAX_FEED_PAGE = 1_000

/** The highest number that a JSON reader keeps exactly. */
const Seq = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })

export const Revocation = Type.Object(
  {
    seq: Type.Integer({
      description: 'Place in the feed of this tenant: grows, not always by one.',
    }),
    type: Type.Enum(
      [
        'session_revoked',
        'sessions_revoked',
        'session_changed',
        'signing_keys_changed',
        'tenant_changed',
      ],
      {
        description:
          '`session_changed`: the session lives on with another role or organisation, so ask ' +
          '`POST /v1/sessions/verify` about its tokens whose `exp` is no more than a second after ' +
          '`forget_after`. `signing_keys_changed`: fetch the JWK set anew. `tenant_changed`: ' +
          'status or settings.',
      },
    ),
    session_id: Nullable(
      Type.String(),
      'The one session, of `session_revoked` and `session_changed`.',
    ),
    all: Type.Boolean({ description: 'A bulk revoke with no filter.' }),
    user_id: Nullable(Type.String(), 'Filter of a bulk revoke.'),
    org_id: Nullable(Type.String(), 'Filter of a bulk revoke.'),
    app_id: Nullable(Type.String(), 'Filter of a bulk revoke.'),
    except_session_id: Nullable(Type.String(), 'Spared by a bulk revoke.'),
    generation: Nullable(
      Type.Integer(),
      'A bulk revoke ends sessions whose tokens have a smaller `gen` claim; exact.',
    ),
    tokens_issued_before: Nullable(
      Instant,
      'The same for who can only compare `iat`; to a second.',
    ),
    revoked_at: Type.String({ ...Instant, description: 'When it happened.' }),
    forget_after: Type.String({
      ...Instant,
      description: 'No token that it concerns is good for longer.',
    }),
  },
  { additionalProperties: false, description: 'What a verifier must know.' },
)
export type Revocation = Static<typeof Revocation>

export const ListRevocationsQuery = Type.Object(
  {
    after: Type.Optional(
      Type.Integer({
        ...Seq,
        description: 'The `next_after` of the last answer; none for all that still matters.',
      }),
    ),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: MAX_FEED_PAGE, default: 100, description: 'At most.' }),
    ),
  },
  { additionalProperties: false },
)
export type ListRevocationsQuery = Static<typeof ListRevocationsQuery>

export const RevocationPage = Type.Object(
  {
    object: Type.Literal('list'),
    data: Type.Array(Revocation),
    has_more: Type.Boolean(),
    next_after: Type.Integer({ description: 'Ask with this the next time.' }),
    reset: Type.Boolean({
      description: '`after` is beyond the feed: the service was restored. Begin again with none.',
    }),
  },
  { additionalProperties: false },
)
export type RevocationPage = Static<typeof RevocationPage>
