import type { IncomingMessage } from 'node:http'
import { Problem } from '../shared/problem.ts'

// RFC 9110, 4.1 asks for 8,000 at least.
const MAX_URL_LENGTH = 8_192

/**
 * What no route should have to think of, checked before anyone is authenticated: it runs for every
 * request, so nothing is split, decoded or allocated for one that is in order.
 */
export function checkRequest(request: IncomingMessage): void {
  checkUrl(request.url ?? '')
  // RFC 9112, 3.2.
  if (request.headers.host === undefined && request.httpVersion !== '1.0') throw noHost()
  checkHeaders(request.rawHeaders)
}

// What RFC 3986 has no place for, and NUL, which Postgres would refuse much later.
const FORBIDDEN_IN_URL = /[^!-~]|%00/

const SECRET_IN_URL =
  /(?:^|[^A-Za-z0-9])(?:sk_(?:live|test)_[\w-]{8}|(?:ok|rt)_[\w-]{20}|eyJ[\w-]{8,}\.[\w-]{8,}\.)/

// `sk_test_` and eight more, the shortest that could be a secret.
const SHORTEST_SECRET = 16

function checkUrl(url: string): void {
  if (url.length > MAX_URL_LENGTH)
    throw new Problem('uri_too_long', { detail: 'A URL may have 8,192 characters at most.' })
  if (FORBIDDEN_IN_URL.test(url))
    throw new Problem('request_invalid', {
      detail: 'The URL holds NUL or a character that must be percent-encoded.',
      errors: [{ field: 'url', message: 'must be printable ASCII, with no %00' }],
    })
  if (url.length > SHORTEST_SECRET && hasSecret(url))
    throw new Problem('request_invalid', {
      detail:
        'The URL holds what looks like a secret or a token. URLs end up in logs: send it in a ' +
        'header or a body, and replace the one that you have just sent.',
      errors: [{ field: 'url', message: 'must not hold a secret or a token' }],
    })
}

function hasSecret(url: string): boolean {
  if (SECRET_IN_URL.test(url)) return true
  if (!url.includes('%')) return false
  try {
    return SECRET_IN_URL.test(decodeURIComponent(url))
  } catch {
    return false
  }
}

/**
 * Of two equal headers Node keeps the first and drops the second without a word, while a proxy in
 * front may have decided by the second.
 */
function checkHeaders(rawHeaders: readonly string[]): void {
  let seen = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const bit = singleHeader(rawHeaders[i] ?? '')
    if (bit === 0) continue
    if ((seen & bit) !== 0) throw twice(rawHeaders[i] ?? '')
    seen |= bit
  }
}

/** A bit for each header that may come once, 0 for all others. By length first: it costs nothing. */
function singleHeader(name: string): number {
  switch (name.length) {
    case 4:
      return name.toLowerCase() === 'host' ? 1 : 0
    case 11:
      return name.toLowerCase() === 'x-tenant-id' ? 2 : 0
    case 12:
      return name.toLowerCase() === 'content-type' ? 4 : 0
    case 13:
      return name.toLowerCase() === 'authorization' ? 8 : 0
    case 14:
      return name.toLowerCase() === 'content-length' ? 16 : 0
    case 15:
      return name.toLowerCase() === 'idempotency-key' ? 32 : 0
    default:
      return 0
  }
}

const noHost = (): Problem =>
  new Problem('request_invalid', {
    detail: 'A request of HTTP/1.1 names its host.',
    errors: [{ field: 'header.host', message: 'is required' }],
  })

const twice = (name: string): Problem =>
  new Problem('request_invalid', {
    detail: 'A header that may come once came twice.',
    errors: [{ field: `header.${name.toLowerCase()}`, message: 'must be given once' }],
  })
