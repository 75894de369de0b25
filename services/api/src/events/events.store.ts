import type { Prisma, PrismaClient } from '@sesame/db'
import { newId } from '../shared/ids.ts'
import type { EventType } from './events.schema.ts'

export interface NewEvent {
  type: EventType
  actor: string
  sessionId?: string
  userId?: string
  data?: Prisma.InputJsonObject
}

export interface StoredEvent {
  tenantId: string
  id: string
  type: string
  sessionId: string | null
  userId: string | null
  actor: string
  data: Prisma.JsonValue
  createdAt: Date
}

/** The row of an event, for the transaction of what it tells: both are written or neither. */
export function eventRow(tenantId: string, event: NewEvent, createdAt: Date) {
  return { tenantId, id: newId('evt'), data: {}, createdAt, ...event }
}

export interface EventFilters {
  sessionId: string | undefined
  userId: string | undefined
  type: string | undefined
}

export interface EventStore {
  /** Newest first, from below the id. */
  list(
    tenantId: string,
    filters: EventFilters,
    beforeId: string | null,
    limit: number,
  ): Promise<StoredEvent[]>
}

export function createEventStore(prisma: PrismaClient): EventStore {
  return {
    list: (tenantId, { sessionId, userId, type }, beforeId, limit) =>
      prisma.event.findMany({
        where: {
          tenantId,
          ...(sessionId !== undefined && { sessionId }),
          ...(userId !== undefined && { userId }),
          ...(type !== undefined && { type }),
          ...(beforeId !== null && { id: { lt: beforeId } }),
        },
        orderBy: { id: 'desc' },
        take: limit,
      }),
  }
}
