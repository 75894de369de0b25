import type { Request, RequestHandler } from 'express'
import { createAuthorize } from './middleware/authorize.ts'
import { authorizationOfNode } from './middleware/credentials.ts'
import { respondByNode } from './middleware/node-response.ts'
import type { SessionOptions, Verify } from './middleware/options.ts'
import { rememberSession } from './middleware/sessions.ts'
import type { VerifiedSession } from './verifier/verification.ts'

export type { SessionOptions, Verify } from './middleware/options.ts'
export { sessionOf } from './middleware/sessions.ts'

declare global {
  namespace Express {
    interface Request {
      /** The session that `requireSession` let through; null where it is optional. */
      auth?: VerifiedSession | null
    }
  }
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
 * app.get('/me', requireSession(verify), (req, res) => res.json(sessionOf(req)))
 */
export function requireSession(
  verify: Verify,
  options: SessionOptions<Request> = {},
): RequestHandler {
  const authorize = createAuthorize(verify, options, authorizationOfNode)
  return async (request, response, next) => {
    const { refusal, session } = await authorize(request)
    if (refusal !== null) return respondByNode(response, refusal)
    rememberSession(request, session)
    request.auth = session
    next()
  }
}
