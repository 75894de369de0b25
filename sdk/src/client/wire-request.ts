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
  const tenantId = options.tenantId ?? config.tenantId
  return {
    route,
    method,
    url: config.baseUrl + fillPath(route, path) + toQuery(query),
    headers: {
      accept: 'application/json',
      authorization: `Bearer ${config.secretKey}`,
      'user-agent': config.userAgent,
      ...(tenantId !== undefined && { 'x-tenant-id': tenantId }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      // The same for all attempts: whatever got lost on the way, the work is done once.
      ...(method === 'POST' && { 'idempotency-key': options.idempotencyKey ?? newKey() }),
    },
    body: body === undefined ? null : JSON.stringify(toWire(body)),
  }
}

const newKey = (): string => crypto.randomUUID()
