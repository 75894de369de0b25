/**
 * Why the service could not be read: `refused` (the key is not good for it: coming back soon is of
 * no use), `suspended` (the tenant is, or is gone: all its tokens are refused), `failed` (else).
 */
export class ServiceError extends Error {
  readonly kind: 'refused' | 'suspended' | 'failed'
  readonly retryAfterMs: number | null

  constructor(
    message: string,
    kind: ServiceError['kind'] = 'failed',
    retryAfterMs: number | null = null,
  ) {
    super(message)
    this.kind = kind
    this.retryAfterMs = retryAfterMs
  }
}

/** What an answer other than 200 means. Of its body only a code in our own form is repeated. */
export function errorOfAnswer(what: string, status: number, headers: Headers, text: string) {
  const code = problemCode(text)
  const message = `${what} answered ${status}${code === null ? '' : ` ${code}`}`
  if (code === 'tenant_suspended' || code === 'tenant_not_found')
    return new ServiceError(message, 'suspended')
  const isRefused = status === 401 || status === 403 || status === 404
  return new ServiceError(message, isRefused ? 'refused' : 'failed', retryAfterMs(headers))
}

/** A short reason for people; names no URL, header or body, since those can hold secrets. */
export function describeFailure(what: string, error: unknown): string {
  if (error instanceof ServiceError) return error.message
  const cause = (error as { cause?: { code?: unknown } } | null)?.cause?.code
  const code = typeof cause === 'string' && /^[A-Z0-9_]{1,40}$/.test(cause) ? ` (${cause})` : ''
  return `${what} could not be reached${code}`
}

function problemCode(text: string): string | null {
  try {
    const code = (JSON.parse(text) as { code?: unknown } | null)?.code
    return typeof code === 'string' && /^[a-z_]{1,64}$/.test(code) ? code : null
  } catch {
    return null
  }
}

const MAX_RETRY_AFTER_MS = 60_000

function retryAfterMs(headers: Headers): number | null {
  const seconds = headers.get('retry-after')
  if (seconds === null || !/^\d{1,6}$/.test(seconds)) return null
  return Math.min(Number(seconds) * 1000, MAX_RETRY_AFTER_MS)
}
