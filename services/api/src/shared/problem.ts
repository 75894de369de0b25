/**
 * The registry of problems: a code fixes its status and its title, in one place. Each code has a
 * page in docs/errors, which a test holds complete. RFC 9457 is the form.
 */
export const PROBLEMS = {
  request_invalid: { status: 400, title: 'The request is not valid' },
  body_malformed: { status: 400, title: 'The body is not valid JSON' },
  cursor_invalid: { status: 400, title: 'The cursor is not valid for this list' },
  api_key_invalid: { status: 401, title: 'The API key is missing or not valid' },
  refresh_token_invalid: { status: 401, title: 'The refresh token is not valid' },
  refresh_token_reuse: { status: 401, title: 'The refresh token was used before' },
  scope_missing: { status: 403, title: 'The API key lacks the scope for this' },
  tenant_mismatch: { status: 403, title: 'X-Tenant-ID is not the tenant of this API key' },
  tenant_suspended: { status: 403, title: 'The tenant is suspended' },
  tenant_missing: { status: 400, title: 'The request names no tenant' },
  route_not_found: { status: 404, title: 'There is no such route' },
  tenant_not_found: { status: 404, title: 'There is no such tenant' },
  session_not_found: { status: 404, title: 'There is no such session' },
  api_key_not_found: { status: 404, title: 'There is no such API key' },
  signing_key_not_found: { status: 404, title: 'There is no such signing key' },
  method_not_allowed: { status: 405, title: 'The route does not take this method' },
  request_timeout: { status: 408, title: 'The request took too long to arrive' },
  session_not_active: { status: 409, title: 'The session has ended' },
  session_limit_reached: { status: 409, title: 'The user has too many active sessions' },
  api_key_expired: { status: 409, title: 'The API key has expired' },
  api_key_revoked: { status: 409, title: 'The API key is revoked' },
  idempotency_conflict: { status: 409, title: 'The Idempotency-Key was used for another request' },
  idempotency_in_progress: { status: 409, title: 'The first request with this key still runs' },
  body_too_large: { status: 413, title: 'The body is too large' },
  uri_too_long: { status: 414, title: 'The URL is too long' },
  content_type_unsupported: { status: 415, title: 'The content type is not supported' },
  rate_limit_exceeded: { status: 429, title: 'Too many requests' },
  headers_too_large: { status: 431, title: 'The headers are too large' },
  internal_error: { status: 500, title: 'Something went wrong on our side' },
  service_unavailable: { status: 503, title: 'The service is not available for the moment' },
} as const satisfies Record<string, { status: number; title: string }>

export type ProblemCode = keyof typeof PROBLEMS

/** One wrong field of a request: where it is, and what it should be. */
export interface FieldError {
  field: string
  message: string
}

export interface ProblemOptions {
  /** A sentence for the caller. Never holds a secret, a token, or anything of another tenant. */
  detail?: string
  errors?: FieldError[]
  /** Response headers, such as Retry-After. */
  headers?: Record<string, string>
  /** For the log alone. */
  internal?: string
  cause?: unknown
}

/** Thrown anywhere below a route; the one problem handler renders it. */
export class Problem extends Error {
  readonly code: ProblemCode
  readonly status: number
  readonly detail: string | undefined
  readonly errors: FieldError[] | undefined
  readonly headers: Record<string, string> | undefined
  readonly internal: string | undefined

  constructor(code: ProblemCode, options: ProblemOptions = {}) {
    const { stackTraceLimit } = Error
    // What a caller did wrong has no place in our code that anybody wants to read, and to find it
    // costs a tenth of a refusal.
    if (PROBLEMS[code].status < 500) Error.stackTraceLimit = 0
    super(code, { cause: options.cause })
    Error.stackTraceLimit = stackTraceLimit
    this.name = 'Problem'
    this.code = code
    this.status = PROBLEMS[code].status
    this.detail = options.detail
    this.errors = options.errors
    this.headers = options.headers
    this.internal = options.internal
  }
}
