import type { Operations } from '../generated/operations.ts'
import type { WireRequest } from './attempt.ts'
import { toWire } from './casing.ts'
import type { CreateOptions } from './request-options.ts'
import { fillPath, toQuery } from './route.ts'

export interface TransportConfig {
  secretKey: string
  baseUrl: string
  tenantId: string | undefined
  timeoutMs: number
  maxRetries: number
  fetch: typeof globalThis.fetch
  userAgent: string
}

/** What a call may hold, whatever its route. */
export interface AnyCall {
  path?: Record<string, string>
  query?: object
  body?: object
  options: CreateOptions | undefined
}

/**
 * A call as it goes over the wire.
 *
 * @throws TypeError for parameters that must not.
 */
export function requestOf(config: TransportConfig, route: string, call: AnyCall): WireRequest {
  const { options = {}, path, query, body } = call
  const method = route.slice(0, route.indexOf(' '))
  // The same for all attempts: whatever got lost on the way, the work is done once.
  const idempotencyKey = options.idempotencyKey ?? (isDoneOnce(route, query) ? newKey() : undefined)
  const tenantId = options.tenantId ?? config.tenantId
  return {
    route,
    method,
    secretKey: config.secretKey,
    url: config.baseUrl + fillPath(route, path) + toQuery(query),
    headers: {
      accept: 'application/json',
      authorization: `Bearer ${config.secretKey}`,
      'user-agent': config.userAgent,
      ...(tenantId !== undefined && { 'x-tenant-id': tenantId }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
    },
    body: body === undefined ? null : JSON.stringify(toWire(body)),
  }
}

/** A second time, they would end also the sessions that began after the first. */
const BULK_DELETES: ReadonlySet<string> = new Set<keyof Operations>([
  'DELETE /v1/sessions',
  'DELETE /v1/users/{userId}/sessions',
])

const isDoneOnce = (route: string, query: { dryRun?: unknown } = {}): boolean =>
  route.startsWith('POST ') || (BULK_DELETES.has(route) && query.dryRun !== true)

const newKey = (): string => crypto.randomUUID()
