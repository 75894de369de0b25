import type { Context, MiddlewareHandler } from 'hono'
import { createAuthorize } from './middleware/authorize.ts'
import { authorizationOfWeb } from './middleware/credentials.ts'
import type { SessionOptions, Verify } from './middleware/options.ts'
import { rememberSession } from './middleware/sessions.ts'
import { toResponse } from './middleware/web-response.ts'
import type { VerifiedSession } from './verifier/verification.ts'

export type { SessionOptions, Verify } from './middleware/options.ts'
export { sessionOf } from './middleware/sessions.ts'

/** What `c.get('session')` gives behind `requireSession`. */
export interface SessionVariables<Session = VerifiedSession> {
  Variables: { session: Session }
}

/**
 * Lets requests with a good access token pass; all others get a problem document (RFC 9457) with a
 * challenge (RFC 6750). A CORS preflight has no token: put what answers it in front of this.
 *
 * @param verify what `createVerifier` made.
 * @param options what the route demands.
 * @throws TypeError at once, for options that are wrong.
 *
 * @example
 * app.get('/me', requireSession(verify), c => c.json(c.get('session')))
 */
export function requireSession(
  verify: Verify,
  options: SessionOptions<Context> & { optional: true },
): MiddlewareHandler<SessionVariables<VerifiedSession | null>>
export function requireSession(
  verify: Verify,
  options?: SessionOptions<Context> & { optional?: false },
): MiddlewareHandler<SessionVariables>
export function requireSession(
  verify: Verify,
  options: SessionOptions<Context> = {},
): MiddlewareHandler {
  const authorize = createAuthorize(verify, options, (c: Context) => authorizationOfWeb(c.req.raw))
  return async (c, next) => {
    const { refusal, session } = await authorize(c)
    if (refusal !== null) return toResponse(refusal)
    rememberSession(c, session)
    c.set('session', session)
    return next()
  }
}
