/** One wrong field of a request: where it is, and what it should be. */
export interface FieldError {
  /** Path of the field as it is on the wire, such as `user_id`. */
  field: string
  message: string
}

/** What an error knows. No secret, token or token part is ever in it. */
export interface ErrorFacts {
  /** Stable name of what went wrong, such as `session_not_found`. */
  code: string
  /** HTTP status of the answer; null where there was no answer. */
  status?: number | null
  /** Names the request in the logs of the service: give it to support. */
  requestId?: string | null
  fieldErrors?: FieldError[]
  /** Seconds that the service asked to wait. */
  retryAfterSeconds?: number | null
  cause?: unknown
}

/** Every error of this package, but for a `TypeError` where it was called in a wrong way. */
export class SesameError extends Error {
  readonly code: string
  readonly status: number | null
  readonly requestId: string | null
  readonly fieldErrors: readonly FieldError[]

  /** Spelled out, since minifiers rename classes, and a getter, since bundlers can drop it unused. */
  override get name(): string {
    return 'SesameError'
  }

  constructor(message: string, facts: ErrorFacts) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.code = facts.code
    this.status = facts.status ?? null
    this.requestId = facts.requestId ?? null
    this.fieldErrors = facts.fieldErrors ?? []
  }
}

/** The service answered with a problem. Each common status has its own class. */
export class ApiError extends SesameError {
  declare readonly status: number
  /** Seconds that the service asked to wait; null where it did not say. */
  readonly retryAfterSeconds: number | null

  override get name(): string {
    return 'ApiError'
  }

  constructor(message: string, facts: ErrorFacts & { status: number }) {
    super(message, facts)
    this.retryAfterSeconds = facts.retryAfterSeconds ?? null
  }
}

/** 400: the request is not valid; `fieldErrors` says where. */
export class BadRequestError extends ApiError {
  override get name(): string {
    return 'BadRequestError'
  }
}

/** 401: the secret key (`api_key_invalid`) or the refresh token is not valid. */
export class AuthenticationError extends ApiError {
  override get name(): string {
    return 'AuthenticationError'
  }
}

/** 403: the secret key is good and may not do this. */
export class PermissionDeniedError extends ApiError {
  override get name(): string {
    return 'PermissionDeniedError'
  }
}

/** 404: there is no such thing in this tenant. */
export class NotFoundError extends ApiError {
  override get name(): string {
    return 'NotFoundError'
  }
}

/** 409: the state of the thing does not allow it, such as `session_not_active`. */
export class ConflictError extends ApiError {
  override get name(): string {
    return 'ConflictError'
  }
}

/** 429: too many requests, also after the retries. */
export class RateLimitError extends ApiError {
  override get name(): string {
    return 'RateLimitError'
  }
}

/** 5xx: something went wrong on the side of the service, also after the retries. */
export class ServerError extends ApiError {
  override get name(): string {
    return 'ServerError'
  }
}

/** An answer that Sesame does not give: another server, or a proxy between. */
export class InvalidResponseError extends SesameError {
  override get name(): string {
    return 'InvalidResponseError'
  }
}

/** No answer: refused, reset, cut off, a name that does not resolve. */
export class ConnectionError extends SesameError {
  override get name(): string {
    return 'ConnectionError'
  }
}

/** No answer within `timeoutMs`, also after the retries. */
export class TimeoutError extends ConnectionError {
  override get name(): string {
    return 'TimeoutError'
  }
}

/**
 * A local verifier can say neither yes nor no: it has no keys (`jwks_unavailable`), or is blind and
 * cannot ask (`verify_unavailable`). Answer with 503, never as if the token were bad or good.
 */
export class VerifierUnavailableError extends SesameError {
  declare readonly code: 'jwks_unavailable' | 'verify_unavailable'
  declare readonly status: 503

  override get name(): string {
    return 'VerifierUnavailableError'
  }

  constructor(
    message: string,
    facts: { code: 'jwks_unavailable' | 'verify_unavailable'; cause?: unknown },
  ) {
    super(message, { ...facts, status: 503 })
  }
}
