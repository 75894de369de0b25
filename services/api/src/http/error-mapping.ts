import { Problem, type ProblemCode } from '../shared/problem.ts'

/** The problem that an error of any origin is to the caller. What is not known is ours: a 500. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  const code = textOf(error, 'code')
  const known = code === undefined ? undefined : OF_FASTIFY[code]
  if (known !== undefined) return new Problem(known.code, { detail: known.detail, cause: error })
  if (isAbortedBody(error)) return new Problem('body_malformed', { cause: error })
  if (isUnavailable(error))
    return new Problem('service_unavailable', {
      detail: 'Try again in a moment.',
      headers: { 'retry-after': '1' },
      cause: error,
    })
  const byStatus = OF_STATUS[numberOf(error, 'statusCode') ?? 500]
  return new Problem(byStatus ?? 'internal_error', { cause: error })
}

const OF_FASTIFY: Readonly<Record<string, { code: ProblemCode; detail: string }>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: {
    code: 'body_too_large',
    detail: 'A body may have 64 KB, where the reference does not say otherwise.',
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    code: 'content_type_unsupported',
    detail: 'Send JSON, with the header "Content-Type: application/json".',
  },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    code: 'body_malformed',
    detail: 'The body does not have the length that Content-Length says.',
  },
  FST_ERR_BAD_URL: {
    code: 'request_invalid',
    detail: 'The path is not valid: check its percent-encoding.',
  },
  FST_ERR_MAX_PARAM_LENGTH: {
    code: 'uri_too_long',
    detail: 'A part of the path is longer than any id.',
  },
  FST_ERR_HANDLER_TIMEOUT: {
    code: 'service_unavailable',
    detail: 'The answer took too long. Try again in a moment.',
  },
}

const OF_STATUS: Readonly<Record<number, ProblemCode>> = {
  400: 'request_invalid',
  404: 'route_not_found',
  405: 'method_not_allowed',
  413: 'body_too_large',
  414: 'uri_too_long',
  415: 'content_type_unsupported',
  429: 'rate_limit_exceeded',
  503: 'service_unavailable',
}

/** The caller went away in the middle of its body; Fastify marks that, a database error never. */
function isAbortedBody(error: unknown): boolean {
  return textOf(error, 'code') === 'ECONNRESET' && numberOf(error, 'statusCode') === 400
}

const UNAVAILABLE_CODES = new Set([
  // Sockets.
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  // Postgres: cancelled by time-out, read-only after a failover, out of slots, shutting down, starting.
  '57014',
  '25006',
  '53300',
  '55P03',
  '57P01',
  '57P02',
  '57P03',
  '57P05',
  // Prisma: unreachable, timed out, closed, pool exhausted, transaction not started, too many.
  'P1001',
  'P1002',
  'P1008',
  'P1017',
  'P2024',
  'P2028',
  'P2037',
])

const UNAVAILABLE_KINDS = new Set([
  'DatabaseNotReachable',
  'ConnectionClosed',
  'SocketTimeout',
  'TooManyConnections',
])

// pg and ioredis say these in words only.
const UNAVAILABLE_MESSAGE =
  /timeout exceeded when trying to connect|^Query read timeout|^Connection terminated|not queryable|after calling end on the pool|^Connection is closed|Stream isn't writeable|max retries per request/

// Prisma hands what Postgres said of its own end on in the text alone.
const UNAVAILABLE_IN_PRISMA = /Code: `(?:08\w{3}|53300|57P0\d|57014|25006|55P03)`/

const MAX_CAUSES = 5

/** Whether Postgres or Redis could not be asked, as opposed to having answered with an error. */
function isUnavailable(error: unknown, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > MAX_CAUSES) return false
  const code = textOf(error, 'code')
  if (code !== undefined && (UNAVAILABLE_CODES.has(code) || /^08\w{3}$/.test(code))) return true
  const kind = textOf(error, 'kind')
  if (kind !== undefined && UNAVAILABLE_KINDS.has(kind)) return true
  if (error instanceof Error && UNAVAILABLE_MESSAGE.test(error.message)) return true
  if (code?.startsWith('P2') === true && UNAVAILABLE_IN_PRISMA.test(textOf(error, 'message') ?? ''))
    return true
  const causes = error instanceof AggregateError ? error.errors : []
  const cause = 'cause' in error ? error.cause : undefined
  return [...causes, cause].some(inner => isUnavailable(inner, depth + 1))
}

function textOf(error: unknown, name: string): string | undefined {
  const value = propertyOf(error, name)
  return typeof value === 'string' ? value : undefined
}

function numberOf(error: unknown, name: string): number | undefined {
  const value = propertyOf(error, name)
  return typeof value === 'number' ? value : undefined
}

function propertyOf(error: unknown, name: string): unknown {
  return typeof error === 'object' && error !== null ? Reflect.get(error, name) : undefined
}
