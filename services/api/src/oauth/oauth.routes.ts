import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { actorOf } from '../http/request-context.ts'
import { Type } from '../shared/type.ts'
import { Introspection, TokenForm } from './oauth.schema.ts'
import type { OAuthService } from './oauth.service.ts'

export const oauthRoutes: FastifyPluginAsyncTypebox<{ oauth: OAuthService }> = async (
  app,
  { oauth },
) => {
  const tags = ['OAuth']

  app.post(
    '/introspect',
    {
      schema: {
        operationId: 'introspectToken',
        summary: 'Token introspection (RFC 7662)',
        description:
          'Form-encoded. The key as a bearer, or by HTTP Basic: the tenant id as the user, the ' +
          'secret key as the password. Every revocation that was answered before counts.',
        tags,
        body: TokenForm,
        response: { 200: Introspection },
      },
      config: { scope: 'sessions:verify', idempotent: false, form: true },
    },
    request => oauth.introspect(actorOf(request).tenant, request.body.token),
  )

  app.post(
    '/revoke',
    {
      schema: {
        operationId: 'revokeToken',
        summary: 'Token revocation (RFC 7009)',
        description:
          'Form-encoded. Ends the session that the access or refresh token belongs to, and with it ' +
          'all of its tokens. 200 also for a token that was not good.',
        tags,
        body: TokenForm,
        response: { 200: Type.Null({ description: 'Not good any more, whatever it was.' }) },
      },
      config: { scope: 'sessions:write', idempotent: false, form: true },
    },
    async (request, reply) => {
      await oauth.revoke(actorOf(request), request.body.token)
      return reply.code(200).send(null)
    },
  )
}
