import type { Static } from 'typebox'
import { FOREIGN_ID_PATTERN, idPattern } from '../shared/ids.ts'
import { Instant, Nullable, PageQuery } from '../shared/schema.ts'
import { Type } from '../shared/type.ts'

export const EVENT_TYPES = [
  'session.created',
  'session.updated',
  'session.revoked',
  'sessions.revoked',
  'user.erased',
  'api_key.created',
  'api_key.rotated',
  'api_key.revoked',
  'signing_key.rotated',
  'signing_key.revoked',
  'tenant.created',
  'tenant.updated',
  'tenant.deleted',
] as const
export type EventType = (typeof EVENT_TYPES)[number]

export const Event = Type.Object(
  {
    object: Type.Literal('event'),
    id: Type.String({ pattern: idPattern('evt') }),
    type: Type.Enum([...EVENT_TYPES]),
    tenant_id: Type.String(),
    session_id: Nullable(Type.String()),
    user_id: Nullable(Type.String()),
    actor: Type.String({ description: 'Id of the API key that did it, `operator` or `system`.' }),
    data: Type.Record(Type.String(), Type.Unknown(), {
      description: 'Facts of this type of event.',
    }),
    created_at: Instant,
  },
  { additionalProperties: false, description: 'What happened, in the audit trail.' },
)
export type Event = Static<typeof Event>

export const ListEventsQuery = Type.Object(
  {
    session_id: Type.Optional(Type.String({ pattern: idPattern('ses') })),
    user_id: Type.Optional(Type.String({ pattern: FOREIGN_ID_PATTERN })),
    type: Type.Optional(Type.Enum([...EVENT_TYPES])),
    ...PageQuery,
  },
  { additionalProperties: false },
)
export type ListEventsQuery = Static<typeof ListEventsQuery>
