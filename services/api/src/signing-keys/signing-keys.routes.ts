import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { actorOf } from '../http/request-context.ts'
import { Type } from '../shared/type.ts'
import {
  RevokeSigningKeyQuery,
  SigningKey,
  SigningKeyList,
  SigningKeyParams,
} from './signing-keys.schema.ts'
import type { SigningKeyService } from './signing-keys.service.ts'

export const signingKeyRoutes: FastifyPluginAsyncTypebox<{
  signingKeys: SigningKeyService
}> = async (app, { signingKeys }) => {
  const config = { scope: 'keys:write' } as const

  app.get(
    '/signing-keys',
    {
      schema: {
        operationId: 'listSigningKeys',
        summary: 'The public halves of all signing keys, newest first',
        tags: ['Signing keys'],
        response: { 200: SigningKeyList },
      },
      config,
    },
    request => signingKeys.list(actorOf(request).tenantId),
  )

  app.post(
    '/signing-keys/rotate',
    {
      schema: {
        operationId: 'rotateSigningKey',
        summary: 'Let the next signing key take over',
        description:
          'The next key begins to sign as soon as it has been published for longer than a JWK set ' +
          'may be cached: `signs_from` says when. The key it relieves stays in the JWK set until ' +
          'the last token it signed has expired. Asking again before then changes nothing.',
        tags: ['Signing keys'],
        response: { 200: SigningKey },
      },
      config,
    },
    request => {
      const { tenantId, actor } = actorOf(request)
      return signingKeys.rotate(tenantId, actor)
    },
  )

  app.delete(
    '/signing-keys/:kid',
    {
      schema: {
        operationId: 'revokeSigningKey',
        summary: 'Emergency: revoke a signing key',
        description: 'Every token that the key signed is refused from the moment this answers.',
        tags: ['Signing keys'],
        params: SigningKeyParams,
        querystring: RevokeSigningKeyQuery,
        response: { 204: Type.Null({ description: 'Revoked, now or before.' }) },
      },
      config,
    },
    async (request, reply) => {
      const { tenantId, actor } = actorOf(request)
      await signingKeys.revoke(tenantId, request.params.kid, actor, request.query.reason)
      return reply.code(204).send(null)
    },
  )
}
