import { ServiceError } from './service-error.ts'

/** What the feed tells, checked. */
export type FeedEvent =
  | { type: 'session_revoked' | 'session_changed'; sessionId: string; forgetAfterMs: number }
  | { type: 'sessions_revoked'; revoke: BulkRevoke }
  | { type: 'snapshot'; sessionIds: string[]; forgetAfterMs: number }
  | { type: 'signing_keys_changed' | 'tenant_changed' | 'synced' | 'reset' }
  | { type: 'heartbeat'; atMs: number | null }

/** Ends the sessions that match each filter that is not null, and are of an older generation. */
export interface BulkRevoke {
  userId: string | null
  orgId: string | null
  appId: string | null
  exceptSessionId: string | null
  generation: number
  forgetAfterMs: number
}

/**
 * An event that can't be read is an error and not skipped: it may be the one that names a session.
 * Types that are not known are: they came after this version, and are not about sessions.
 *
 * @throws ServiceError
 */
export function readFeedEvent(type: string, data: unknown): FeedEvent | null {
  switch (type) {
    case 'session_revoked':
    case 'session_changed': {
      const fields = membersOf(data)
      const sessionId = text(fields.session_id)
      return { type, sessionId, forgetAfterMs: instant(fields.forget_after) }
    }
    case 'sessions_revoked':
      return { type, revoke: readBulkRevoke(membersOf(data)) }
    case 'snapshot': {
      const fields = membersOf(data)
      if (!Array.isArray(fields.session_ids)) throw unreadable()
      const sessionIds = fields.session_ids.map(text)
      return { type, sessionIds, forgetAfterMs: instant(fields.forget_after) }
    }
    case 'heartbeat': {
      const atMs = Date.parse(String(membersOf(data).at))
      return { type, atMs: Number.isFinite(atMs) ? atMs : null }
    }
    case 'signing_keys_changed':
    case 'tenant_changed':
    case 'synced':
    case 'reset':
      return { type }
    default:
      return null
  }
}

/** The `id` of an event, and what `after` and `Last-Event-ID` take. */
export function readPosition(value: unknown): number {
  const position = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value
  if (typeof position === 'number' && Number.isSafeInteger(position) && position >= 0)
    return position
  throw unreadable()
}

export function parseFeedData(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw unreadable()
  }
}

function readBulkRevoke(fields: Record<string, unknown>): BulkRevoke {
  const { generation } = fields
  if (typeof generation !== 'number' || !Number.isSafeInteger(generation)) throw unreadable()
  const revoke = {
    userId: textOrNull(fields.user_id),
    orgId: textOrNull(fields.org_id),
    appId: textOrNull(fields.app_id),
    exceptSessionId: textOrNull(fields.except_session_id),
    generation,
    forgetAfterMs: instant(fields.forget_after),
  }
  return revoke
}

export function membersOf(data: unknown): Record<string, unknown> {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) throw unreadable()
  return data as Record<string, unknown>
}

const MAX_ID_LENGTH = 256

function text(value: unknown): string {
  if (typeof value === 'string' && value !== '' && value.length <= MAX_ID_LENGTH) return value
  throw unreadable()
}

const textOrNull = (value: unknown): string | null =>
  value === null || value === undefined ? null : text(value)

function instant(value: unknown): number {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN
  if (Number.isFinite(ms)) return ms
  throw unreadable()
}

const unreadable = (): ServiceError => new ServiceError('the feed sent what cannot be read')
