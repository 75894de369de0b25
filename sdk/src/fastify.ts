import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { createAuthorize } from './middleware/authorize.ts'
import { authorizationOfNode } from './middleware/credentials.ts'
import type { SessionOptions, Verify } from './middleware/options.ts'
import { rememberSession } from './middleware/sessions.ts'
import type { VerifiedSession } from './verifier/verification.ts'

export type { SessionOptions, Verify } from './middleware/options.ts'
export { sessionOf } from './middleware/sessions.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The session that `requireSession` let through; null where it is optional. */
    auth?: VerifiedSession | null
  }
}

/**
 * A hook, for `onRequest` or `preHandler`: lets requests with a good access token pass; all others get
 * a problem document (RFC 9457) with a challenge (RFC 6750). A CORS preflight has no token: register
 * what answers it first.
 *
 * @param verify what `createVerifier` made.
 * @param options what the route demands.
 * @throws TypeError at once, for options that are wrong.
 *
 * @example
 * app.get('/me', { onRequest: requireSession(verify) }, request => sessionOf(request))
 */
export function requireSession(
  verify: Verify,
  options: SessionOptions<FastifyRequest> = {},
): (request: FastifyRequest, reply: FastifyReply) => Promise<unknown> {
  const authorize = createAuthorize(verify, options, (request: FastifyRequest) =>
    authorizationOfNode(request.raw),
  )
  return async (request, reply) => {
    const { refusal, session } = await authorize(request)
    if (refusal !== null)
      return reply.code(refusal.status).headers(refusal.headers).send(refusal.body)
    rememberSession(request, session)
    request.auth = session
    return undefined
  }
}

export interface SessionPluginOptions extends SessionOptions<FastifyRequest> {
  verify: Verify
}

/**
 * A plugin: `requireSession` for every route of the scope that it is registered in.
 *
 * @example
 * app.register(async api => {
 *   await api.register(sessionPlugin, { verify })
 *   api.get('/me', request => sessionOf(request))
 * })
 */
export const sessionPlugin: FastifyPluginAsync<SessionPluginOptions> = Object.assign(
  async (
    ...[app, { verify, ...options }]: Parameters<FastifyPluginAsync<SessionPluginOptions>>
  ) => {
    app.addHook('onRequest', requireSession(verify, options))
  },
  {
    // What fastify-plugin would say: the hook is for the scope around, not for one of its own.
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: '@sesame/sdk',
    [Symbol.for('plugin-meta')]: { name: '@sesame/sdk', fastify: '5.x' },
  },
)
