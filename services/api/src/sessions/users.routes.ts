import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { actorOf } from '../http/request-context.ts'
import { Type } from '../shared/type.ts'
import type { ErasureService } from './erasure.service.ts'
import { RevokedCount } from './sessions.schema.ts'
import type { SessionService } from './sessions.service.ts'
import { DeleteUserSessionsQuery, Erasure, UserParams } from './users.schema.ts'

export interface UserRoutesOptions {
  sessions: Pick<SessionService, 'revokeAll'>
  erasures: Pick<ErasureService, 'erase'>
}

export const userRoutes: FastifyPluginAsyncTypebox<UserRoutesOptions> = async (
  app,
  { sessions, erasures },
) => {
  app.delete(
    '/users/:userId/sessions',
    {
      schema: {
        operationId: 'deleteUserSessions',
        summary: 'End all sessions of a user, and erase the user on request',
        description:
          'Without `erase` as `DELETE /v1/sessions?user_id=`. With `erase=true` the sessions end at ' +
          'once, addresses, user agents, devices, places, metadata and ids are removed from them, ' +
          'and events name a random tombstone instead of the user. 200 says that all of it is gone; ' +
          '202 that the rest follows. Sessions created after the request arrived stay: repeat it ' +
          'with its Idempotency-Key, or it is a new request and ends them too.',
        tags: ['Users'],
        params: UserParams,
        querystring: DeleteUserSessionsQuery,
        response: { 200: Type.Union([Erasure, RevokedCount]), 202: Erasure },
      },
      config: { scope: 'sessions:write', idempotent: true },
    },
    async (request, reply) => {
      const { userId } = request.params
      const { erase, reason } = request.query
      const by = actorOf(request)
      if (erase !== true)
        return {
          revoked: await sessions.revokeAll(by, {
            user_id: userId,
            ...(reason !== undefined && { reason }),
          }),
        }
      const erasure = await erasures.erase(by, userId, reason)
      return reply.code(erasure.status === 'completed' ? 200 : 202).send(erasure)
    },
  )
}
