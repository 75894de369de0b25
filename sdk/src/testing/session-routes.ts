import type {
  InMemorySessions,
  NewSession,
  SessionChanges,
  WireSession,
} from './in-memory-sessions.ts'
import type { RevokeAllFilters } from './revocation-feed.ts'
import { problem, type Route } from './service-answers.ts'

export interface SessionRoutesParts {
  sessions: InMemorySessions
  /** Signs an access token; of a new session where none is named. */
  issue(given: { sessionId?: string; session?: NewSession }): Promise<{
    accessToken: string
    session: WireSession
  }>
  update(sessionId: string, changes: SessionChanges): Promise<void>
  revoke(sessionId: string): Promise<void>
  revokeAll(filters: RevokeAllFilters): Promise<void>
}

const TOKEN_SECONDS = 900
const REFRESH_TOKEN = /^rt_test_(ses_\w+)\.(\d+)$/

/** Enough of `/v1/sessions` for the tests of an app: sign-in, list, refresh, sign-out. */
export function sessionRoutes(parts: SessionRoutesParts): Record<string, Route> {
  const { sessions, issue } = parts
  const generations = new Map<string, number>()

  const tokens = async (given: { sessionId?: string; session?: NewSession }, status: number) => {
    const { accessToken, session } = await issue(given)
    const generation = (generations.get(session.id) ?? 0) + 1
    generations.set(session.id, generation)
    const body = {
      session,
      access_token: accessToken,
      token_type: 'Bearer',
      expires_in: TOKEN_SECONDS,
      refresh_token: `rt_test_${session.id}.${generation}`,
    }
    return Response.json(body, { status })
  }
  const withSession =
    (answer: (session: WireSession, call: Parameters<Route>[0]) => Promise<Response>): Route =>
    call => {
      const session = sessions.find(call.id)
      return session === null ? problem(404, 'session_not_found') : answer(session, call)
    }

  return {
    'POST /v1/sessions': async ({ request }) =>
      tokens({ session: (await request.json()) as NewSession }, 201),
    'GET /v1/sessions': ({ query }) => page(sessions.list().filter(matches(query)), query),
    'DELETE /v1/sessions': async ({ query }) => {
      const filters = filtersOf(query)
      const ended = sessions
        .list()
        .filter(matches(query))
        .filter(({ id, status }) => status === 'active' && id !== filters.except)
      if (query.get('dry_run') !== 'true') await parts.revokeAll(filters)
      return Response.json({ revoked: ended.length })
    },
    'GET /v1/sessions/{id}': withSession(async session => Response.json(session)),
    'PATCH /v1/sessions/{id}': withSession(async (session, { request }) => {
      if (session.status !== 'active') return problem(409, 'session_not_active')
      await parts.update(session.id, (await request.json()) as SessionChanges)
      return Response.json(sessions.find(session.id))
    }),
    'DELETE /v1/sessions/{id}': withSession(async session => {
      if (session.status === 'active') await parts.revoke(session.id)
      return new Response(null, { status: 204 })
    }),
    'POST /v1/sessions/refresh': async ({ request }) => {
      const { refresh_token } = (await request.json()) as { refresh_token: string }
      const [, sessionId = '', generation = ''] = REFRESH_TOKEN.exec(refresh_token) ?? []
      if (sessions.find(sessionId)?.status !== 'active')
        return problem(401, 'refresh_token_invalid')
      if (Number(generation) === generations.get(sessionId)) return tokens({ sessionId }, 200)
      await parts.revoke(sessionId)
      return problem(401, 'refresh_token_reuse')
    },
  }
}

function filtersOf(query: URLSearchParams): RevokeAllFilters {
  const [userId, orgId, appId] = [query.get('user_id'), query.get('org_id'), query.get('app_id')]
  const except = query.get('except')
  return {
    ...(userId !== null && { userId }),
    ...(orgId !== null && { orgId }),
    ...(appId !== null && { appId }),
    ...(except !== null && { except }),
  }
}

function matches(query: URLSearchParams): (session: WireSession) => boolean {
  const { userId, orgId, appId } = filtersOf(query)
  const status = query.get('status') ?? 'active'
  return session =>
    (status === 'all' || session.status === status) &&
    (userId === undefined || session.user_id === userId) &&
    (orgId === undefined || session.org_id === orgId) &&
    (appId === undefined || session.app_id === appId)
}

function page(all: WireSession[], query: URLSearchParams): Response {
  const limit = Number(query.get('limit') ?? 20)
  const cursor = query.get('cursor')
  const begin = cursor === null ? 0 : all.findIndex(({ id }) => id === cursor) + 1
  const data = all.slice(begin, begin + limit)
  const hasMore = begin + limit < all.length
  return Response.json({
    object: 'list',
    data,
    has_more: hasMore,
    next_cursor: hasMore ? (data.at(-1)?.id ?? null) : null,
  })
}
