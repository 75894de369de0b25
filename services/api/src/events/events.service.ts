import type { Cursors } from '../shared/cursor.ts'
import { toPage } from '../shared/cursor.ts'
import { DEFAULT_PAGE_LIMIT, type PageOf } from '../shared/schema.ts'
import type { Event, EventType, ListEventsQuery } from './events.schema.ts'
import type { EventStore, StoredEvent } from './events.store.ts'

export interface EventService {
  list(tenantId: string, query: ListEventsQuery): Promise<PageOf<Event>>
}

export function createEventService(deps: { store: EventStore; cursors: Cursors }): EventService {
  const { store, cursors } = deps
  return {
    async list(tenantId, { session_id, user_id, type, cursor, limit = DEFAULT_PAGE_LIMIT }) {
      const scope = { tenantId, list: 'events', filters: { session_id, user_id, type } }
      const beforeId = cursor === undefined ? null : cursors.open(scope, cursor)
      const filters = { sessionId: session_id, userId: user_id, type }
      const rows = await store.list(tenantId, filters, beforeId, limit + 1)
      return toPage(rows, limit, toEvent, lastId => cursors.seal(scope, lastId))
    },
  }
}

const toEvent = (row: StoredEvent): Event => ({
  object: 'event',
  id: row.id,
  type: row.type as EventType,
  tenant_id: row.tenantId,
  session_id: row.sessionId,
  user_id: row.userId,
  actor: row.actor,
  data: isRecord(row.data) ? row.data : {},
  created_at: row.createdAt.toISOString(),
})

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
