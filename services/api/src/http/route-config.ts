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
   * Whether a POST is replayed for a repeated `Idempotency-Key`; default true. False where an old
   * answer would be a wrong one: a replayed "valid" would outlive a revocation.
   */
  idempotent?: boolean
  /** On a public route: `X-Tenant-ID` names the tenant. Elsewhere the header is always taken. */
  namesTenant?: boolean
  /** Takes a form and HTTP Basic, as the RFCs of OAuth say, in place of JSON and a bearer alone. */
  form?: boolean
  /** Asked so often that its requests are logged at debug only. */
  quiet?: boolean
}

declare module 'fastify' {
  interface FastifyContextConfig extends RouteConfig {}
}
