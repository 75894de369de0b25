import { fromWire } from '../client/casing.ts'
import { InvalidResponseError } from '../errors.ts'
import type { Revocation } from '../generated/model.ts'
import type { SseEvent } from '../verifier/sse-parser.ts'

/**
 * What the stream tells. More than 1,000 entries to catch up with come as `snapshot`: sessions that
 * are revoked until `forgetAfter`. `synced`: all that there was is told, from here on it is told as it
 * happens; `seq` is where to go on another time. `reset`: forget what you know, it begins anew.
 */
export type RevocationEvent =
  | Revocation
  | { type: 'snapshot'; sessionIds: string[]; forgetAfter: string }
  | { type: 'synced'; seq: number }
  | { type: 'reset' }

/** The fields without which an event says nothing. */
const FIELDS: Readonly<Record<RevocationEvent['type'], readonly string[]>> = {
  session_revoked: ['seq', 'sessionId', 'forgetAfter'],
  sessions_revoked: ['seq', 'generation', 'forgetAfter'],
  session_changed: ['seq', 'sessionId', 'forgetAfter'],
  signing_keys_changed: ['seq'],
  tenant_changed: ['seq'],
  snapshot: ['sessionIds', 'forgetAfter'],
  synced: ['seq'],
  reset: [],
}

/**
 * Null for a heartbeat, and for a type that came after this version.
 *
 * @throws InvalidResponseError: an event that cannot be read may be the one that names a session.
 */
export function readRevocationEvent({ type, data }: SseEvent): RevocationEvent | null {
  const fields = Object.hasOwn(FIELDS, type) ? FIELDS[type as RevocationEvent['type']] : null
  if (fields === null) return null
  const event = { ...parse(data), type }
  if (fields.some(field => Reflect.get(event, field) === undefined)) throw unreadable(type)
  return event as RevocationEvent
}

function parse(data: string): object {
  try {
    return Object(fromWire(JSON.parse(data)))
  } catch {
    return {}
  }
}

const unreadable = (type: string): InvalidResponseError =>
  new InvalidResponseError(`The stream sent a ${type} that cannot be read`, {
    code: 'response_invalid',
  })
