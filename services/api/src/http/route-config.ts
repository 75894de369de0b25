import type { HTTPMethods } from 'fastify'

/**
 * What a route declares about itself. Authentication, rate limits, idempotency, logs and the
 * OpenAPI document all read this one place.
 */
export interface RouteConfig {
  /** The scope that an API key needs. */
  scope?: string
  /** Only the operator may call it. */
  operator?: boolean
  /** Nobody needs to prove who they are. */
  public?: boolean
  /** Whether who brings no credential at all may pass; the service decides what they may do. */
  keyOptional?: boolean
  /**
   * Whether a repeated `Idempotency-Key` gets the first answer again; default true for a POST and
   * false for the rest. False where an old answer would be a wrong one: a replayed "valid" would
   * outlive a revocation. True where a second time is another deed than the first.
   */
  idempotent?: boolean
  /** On a public route: `X-Tenant-ID` names the tenant. Elsewhere the header is always taken. */
  namesTenant?: boolean
  /** Takes a form and HTTP Basic, as the RFCs of OAuth say, in place of JSON and a bearer alone. */
  form?: boolean
  /** Asked so often that its requests are logged at debug only. */
  quiet?: boolean
}

/** Whether the route takes an `Idempotency-Key`. */
export const isIdempotent = (method: HTTPMethods | HTTPMethods[], config?: RouteConfig): boolean =>
  config?.idempotent ?? [method].flat().includes('POST')

declare module 'fastify' {
  interface FastifyContextConfig extends RouteConfig {}
}
