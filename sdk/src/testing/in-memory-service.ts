import type { TokenVerdict } from '../verifier/access-token.ts'
import type { FeedStreams } from './feed-streams.ts'
import type { SigningJwk } from './hostile-tokens.ts'
import type { RevocationFeed } from './revocation-feed.ts'
import { answerOf, problem, type Route } from './service-answers.ts'

/** What the service of a test tenant is made of. */
export interface InMemoryServiceParts {
  tenantId: string
  baseUrl: string
  secretKey: string
  feed: RevocationFeed
  streams: FeedStreams
  jwks(): SigningJwk[]
  verify(token: string): Promise<TokenVerdict>
  /** More routes, for who has the key: those of sessions. */
  routes: Record<string, Route>
  isSuspended(): boolean
}

/** What is switched off, to see what an app does then. */
export interface Outage {
  service: boolean
  feed: boolean
}

const MAX_PAGE = 1_000

/**
 * A `fetch` that answers as the service of Sesame does: JWK set, feed, verify, sessions. It opens no
 * connection.
 *
 * @param requests gets a line for each request, such as `GET /v1/revocations/stream`.
 */
export function createInMemoryFetch(
  parts: InMemoryServiceParts,
  outage: Outage,
  requests: string[],
): typeof globalThis.fetch {
  const routes = routesOf(parts, outage)
  return async (input, init) => {
    const request = new Request(input, init)
    const url = new URL(request.url)
    const path = url.href.startsWith(`${parts.baseUrl}/`) ? url.pathname : '(elsewhere)'
    requests.push(`${request.method} ${path}`)
    request.signal.throwIfAborted()
    // The words of Node, where a server cannot be reached.
    if (outage.service || path === '(elsewhere)') throw new TypeError('fetch failed')
    const [, id = ''] = /\/(ses_\w+)$/.exec(path) ?? []
    const route = routes[`${request.method} ${id === '' ? path : path.replace(id, '{id}')}`]
    if (route === undefined) return problem(404, 'route_not_found')
    return route({ request, id, query: url.searchParams, signal: init?.signal ?? null })
  }
}

function routesOf(parts: InMemoryServiceParts, outage: Outage): Record<string, Route> {
  const { feed, streams } = parts
  const withKey = (route: Route): Route => {
    return call => {
      if (call.request.headers.get('authorization') !== `Bearer ${parts.secretKey}`)
        return problem(401, 'api_key_invalid')
      return parts.isSuspended() ? problem(403, 'tenant_suspended') : route(call)
    }
  }
  const ofFeed = (route: Route): Route =>
    withKey(call => (outage.feed ? problem(503, 'service_unavailable') : route(call)))
  const ofSessions = Object.entries(parts.routes).map(([name, route]) => [name, withKey(route)])
  return {
    ...Object.fromEntries(ofSessions),
    [`GET /t/${parts.tenantId}/.well-known/jwks.json`]: ({ request }) =>
      jwkSet(request, parts.jwks()),
    'GET /v1/revocations': ofFeed(({ query }) => feedPage(feed, query)),
    'GET /v1/revocations/stream': ofFeed(({ request, signal }) => {
      const after = Number(request.headers.get('last-event-id') ?? 0)
      const headers = { 'content-type': 'text/event-stream; charset=utf-8' }
      return new Response(streams.open(after, signal), { headers })
    }),
    'POST /v1/sessions/verify': withKey(async ({ request }) => {
      const { token } = (await request.json()) as { token: string }
      return Response.json(answerOf(await parts.verify(token)))
    }),
  }
}

async function jwkSet(request: Request, keys: SigningJwk[]): Promise<Response> {
  const body = JSON.stringify({ keys: keys.map(key => ({ ...key, alg: 'EdDSA', use: 'sig' })) })
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(body))
  const tag = Array.from(new Uint8Array(digest).subarray(0, 8), byte => byte.toString(16)).join('')
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'public, max-age=300',
    etag: `"${tag}"`,
  }
  return request.headers.get('if-none-match') === headers.etag
    ? new Response(null, { status: 304, headers })
    : new Response(body, { headers })
}

function feedPage(feed: RevocationFeed, query: URLSearchParams): Response {
  const after = Number(query.get('after') ?? 0)
  const limit = Math.min(Number(query.get('limit') ?? 100), MAX_PAGE)
  if (after > feed.head)
    return Response.json({ object: 'list', data: [], has_more: false, next_after: 0, reset: true })
  const later = feed.entries.filter(({ seq }) => seq > after)
  const data = later.slice(0, limit)
  return Response.json({
    object: 'list',
    data,
    has_more: later.length > limit,
    next_after: data.at(-1)?.seq ?? after,
    reset: false,
  })
}
