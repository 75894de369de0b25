import { type Authorize, createAuthorize } from './middleware/authorize.ts'
import { authorizationOfWeb } from './middleware/credentials.ts'
import type { SessionOptions, Verify } from './middleware/options.ts'
import { toResponse } from './middleware/web-response.ts'
import type { VerifiedSession } from './verifier/verification.ts'

export type { SessionOptions, Verify } from './middleware/options.ts'

type Awaitable<T> = T | Promise<T>

/**
 * A route handler for those who are signed in; all others get a problem document (RFC 9457) with a
 * challenge (RFC 6750). It needs no `proxy.ts` in front.
 *
 * @param verify what `createVerifier` made.
 * @param handler gets the request, the session, and what Next gives beside: `params`.
 * @param options what the route demands.
 * @throws TypeError at once, for options that are wrong.
 *
 * @example
 * export const GET = withSession(verify, (request, session) => Response.json(session))
 */
export function withSession<NextRequest extends Request = Request, NextContext = unknown>(
  verify: Verify,
  handler: (
    request: NextRequest,
    session: VerifiedSession | null,
    context: NextContext,
  ) => Awaitable<Response>,
  options: SessionOptions<NextRequest> & { optional: true },
): (request: NextRequest, context: NextContext) => Promise<Response>
export function withSession<NextRequest extends Request = Request, NextContext = unknown>(
  verify: Verify,
  handler: (
    request: NextRequest,
    session: VerifiedSession,
    context: NextContext,
  ) => Awaitable<Response>,
  options?: SessionOptions<NextRequest> & { optional?: false },
): (request: NextRequest, context: NextContext) => Promise<Response>
export function withSession<NextRequest extends Request, NextContext>(
  verify: Verify,
  // The overloads say what is so: the session is null only where it is optional.
  handler: (request: NextRequest, session: never, context: NextContext) => Awaitable<Response>,
  options: SessionOptions<NextRequest> = {},
): (request: NextRequest, context: NextContext) => Promise<Response> {
  const authorize: Authorize<NextRequest> = createAuthorize(verify, options, authorizationOfWeb)
  return async (request, context) => {
    const { refusal, session } = await authorize(request)
    return refusal === null ? handler(request, session as never, context) : toResponse(refusal)
  }
}

/**
 * For `proxy.ts`: answers requests that have no good access token, and lets the others go on to
 * their route. A proxy is a first door, not the only one: protect each route with `withSession` too;
 * a token that was seen before costs next to nothing.
 *
 * @param verify what `createVerifier` made.
 * @param options what the routes demand.
 * @returns the refusal, or `undefined` to go on.
 *
 * @example
 * export const proxy = sessionProxy(verify)
 * export const config = { matcher: '/api/:path*' }
 */
export function sessionProxy<NextRequest extends Request = Request>(
  verify: Verify,
  options: SessionOptions<NextRequest> = {},
): (request: NextRequest) => Promise<Response | undefined> {
  const authorize: Authorize<NextRequest> = createAuthorize(verify, options, authorizationOfWeb)
  return async request => {
    const { refusal } = await authorize(request)
    return refusal === null ? undefined : toResponse(refusal)
  }
}
