import {
  ApiError,
  AuthenticationError,
  BadRequestError,
  ConflictError,
  type FieldError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
  ServerError,
} from '../errors.ts'
import { redact } from './redact.ts'

const ERROR_CLASSES: Readonly<Record<number, typeof ApiError>> = {
  400: BadRequestError,
  401: AuthenticationError,
  403: PermissionDeniedError,
  404: NotFoundError,
  409: ConflictError,
  429: RateLimitError,
}

const MAX_FIELD_ERRORS = 100

/**
 * The error for an answer that is none of success; its body may be a problem document (RFC 9457).
 *
 * @param secretKey is in none of it, whatever the answer holds.
 */
export function apiErrorOf(
  { status, headers }: Response,
  body: string,
  secretKey: string,
): ApiError {
  const problem = parseProblem(body)
  const clean: Redact = text => redact(text, secretKey)
  const code = matching(/^[a-z][a-z0-9_]{1,63}$/, problem.code) ?? `http_${status}`
  const requestId = requestIdOf(headers, secretKey) ?? idIn(problem.request_id, secretKey)
  const fieldErrors = fieldErrorsOf(problem.errors, clean)
  const ErrorClass = ERROR_CLASSES[status] ?? (status >= 500 ? ServerError : ApiError)
  return new ErrorClass(messageOf(problem, { status, code, requestId, fieldErrors }, clean), {
    status,
    code,
    requestId,
    fieldErrors,
    retryAfterSeconds: retryAfterSecondsOf(headers),
  })
}

const REQUEST_ID = /^[\w.:-]{1,128}$/

export const requestIdOf = (headers: Headers, secretKey: string): string | null =>
  idIn(headers.get('x-request-id'), secretKey)

function idIn(value: unknown, secretKey: string): string | null {
  const id = matching(REQUEST_ID, value)
  return id === null || redact(id, secretKey) === id ? id : null
}

type Redact = (text: string) => string

interface Facts {
  status: number
  code: string
  requestId: string | null
  fieldErrors: FieldError[]
}

function messageOf(problem: Record<string, unknown>, facts: Facts, clean: Redact): string {
  const { status, code, requestId, fieldErrors } = facts
  // What is no problem document is not repeated: it comes from who knows where.
  const text = [problem.detail, problem.title].find(value => typeof value === 'string')
  const what = typeof text === 'string' ? clean(text) : 'The answer is no problem document'
  const fields = fieldErrors.slice(0, 3).map(({ field, message }) => `${field} ${message}`)
  const names = [`${status} ${code}`, ...(requestId === null ? [] : [requestId])]
  return `${[what, ...fields].join(' – ')} (${names.join(', ')})`
}

function parseProblem(body: string): Record<string, unknown> {
  try {
    const problem: unknown = JSON.parse(body)
    return typeof problem === 'object' && problem !== null ? { ...problem } : {}
  } catch {
    return {}
  }
}

function fieldErrorsOf(errors: unknown, clean: Redact): FieldError[] {
  if (!Array.isArray(errors)) return []
  return errors.slice(0, MAX_FIELD_ERRORS).flatMap((error: unknown) => {
    const { field, message } = { field: null, message: null, ...(error as object) }
    return typeof field === 'string' && typeof message === 'string'
      ? [{ field: clean(field), message: clean(message) }]
      : []
  })
}

const matching = (form: RegExp, value: unknown): string | null =>
  typeof value === 'string' && form.test(value) ? value : null

/** Seconds or a date (RFC 9110, 10.2.3); a date counts from the clock of who sent it. */
function retryAfterSecondsOf(headers: Headers): number | null {
  const text = headers.get('retry-after')?.trim() ?? ''
  if (/^\d{1,9}$/.test(text)) return Number(text)
  const untilMs = Date.parse(text)
  if (Number.isNaN(untilMs)) return null
  const sentMs = Date.parse(headers.get('date') ?? '')
  return Math.max(0, Math.ceil((untilMs - (Number.isNaN(sentMs) ? Date.now() : sentMs)) / 1000))
}
