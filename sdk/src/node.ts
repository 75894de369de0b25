import type { IncomingMessage, ServerResponse } from 'node:http'
import { createAuthorize } from './middleware/authorize.ts'
import { authorizationOfNode } from './middleware/credentials.ts'
import { respondByNode } from './middleware/node-response.ts'
import type { SessionOptions, Verify } from './middleware/options.ts'
import { createRefusal } from './middleware/refusal.ts'
import { rememberSession } from './middleware/sessions.ts'
import type { VerifiedSession } from './verifier/verification.ts'

export type { SessionOptions, Verify } from './middleware/options.ts'
export { sessionOf } from './middleware/sessions.ts'

type Handler<Session> = (
  request: IncomingMessage,
  response: ServerResponse,
  session: Session,
) => void | Promise<void>

type Listener = (request: IncomingMessage, response: ServerResponse) => Promise<void>

/** What a handler demands, and who is told of its errors. */
export interface NodeSessionOptions extends SessionOptions<IncomingMessage> {
  /**
   * Told of what the handler throws, after 500 was answered (or, where the answer had begun, the
   * connection was closed). Default: `console.error`.
   */
  onError?: (error: unknown, request: IncomingMessage) => void
}

/**
 * A request listener for those who are signed in; all others get a problem document (RFC 9457) with
 * a challenge (RFC 6750).
 *
 * @param verify what `createVerifier` made.
 * @param handler gets the session as its third argument.
 * @param options what the handler demands.
 * @throws TypeError at once, for options that are wrong.
 *
 * @example
 * createServer(requireSession(verify, (request, response, session) => {
 *   response.end(session.userId)
 * }))
 */
export function requireSession(
  verify: Verify,
  handler: Handler<VerifiedSession | null>,
  options: NodeSessionOptions & { optional: true },
): Listener
export function requireSession(
  verify: Verify,
  handler: Handler<VerifiedSession>,
  options?: NodeSessionOptions & { optional?: false },
): Listener
export function requireSession(
  verify: Verify,
  // The overloads say what is so: the session is null only where it is optional.
  handler: Handler<never>,
  { onError = error => console.error(error), ...options }: NodeSessionOptions = {},
): Listener {
  const authorize = createAuthorize(verify, options, authorizationOfNode)
  return async (request, response) => {
    try {
      const { refusal, session } = await authorize(request)
      if (refusal !== null) return respondByNode(response, refusal)
      rememberSession(request, session)
      await handler(request, response, session as never)
    } catch (error) {
      // Node has nobody to hand it to: a listener that rejects would end the process.
      respondByNode(response, HANDLER_FAILED)
      onError(error, request)
    }
  }
}

const HANDLER_FAILED = createRefusal('internal_error', { realm: '' })
