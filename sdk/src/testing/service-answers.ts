import type { TokenVerdict } from '../verifier/access-token.ts'

/** One request as a route sees it. */
export interface Call {
  request: Request
  query: URLSearchParams
  /** Of the session in the path; empty where there is none. */
  id: string
  /** Of the request; that of a `Request` itself may be collected while it is needed. */
  signal: AbortSignal | null
}

export type Route = (call: Call) => Response | Promise<Response>

const TITLES = {
  route_not_found: 'There is no such route',
  session_not_found: 'There is no such session',
  api_key_invalid: 'The API key is missing or not valid',
  tenant_suspended: 'The tenant is suspended',
  session_not_active: 'The session has ended',
  refresh_token_invalid: 'The refresh token is not valid',
  refresh_token_reuse: 'The refresh token was used before',
  service_unavailable: 'The service is not available for the moment',
} as const

/** A problem document as the service writes it. */
export function problem(status: number, code: keyof typeof TITLES): Response {
  const body = { type: 'about:blank', title: TITLES[code], status, code, request_id: 'req_test' }
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      'content-type': 'application/problem+json; charset=utf-8',
      'x-request-id': 'req_test',
      ...(status === 401 && { 'www-authenticate': 'Bearer' }),
      ...(status === 503 && { 'retry-after': '1' }),
    },
  })
}

/** The answer of `POST /v1/sessions/verify`. */
export function answerOf(verdict: TokenVerdict): Record<string, unknown> {
  if (!verdict.valid) return { valid: false, reason: verdict.reason }
  const { claims } = verdict
  return {
    valid: true,
    session_id: claims.sid,
    user_id: claims.sub,
    tenant_id: claims.tenant_id,
    org_id: claims.org_id,
    app_id: claims.client_id,
    role: claims.role,
    amr: claims.amr,
    mfa_verified: claims.mfa_verified,
    auth_time: toInstant(claims.auth_time),
    issued_at: toInstant(claims.iat),
    expires_at: toInstant(claims.exp),
  }
}

const toInstant = (seconds: number): string => new Date(seconds * 1000).toISOString()
