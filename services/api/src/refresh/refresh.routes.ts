import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { SessionTokens } from '../sessions/sessions.schema.ts'
import { RefreshSession } from './refresh.schema.ts'
import type { RefreshService } from './refresh.service.ts'

export const refreshRoutes: FastifyPluginAsyncTypebox<{ refresh: RefreshService }> = async (
  app,
  { refresh },
) => {
  app.post(
    '/sessions/refresh',
    {
      schema: {
        operationId: 'refreshSession',
        summary: 'Trade a refresh token for new tokens',
        description:
          'Each use rotates the token. The one before is honoured for a short grace and gets the ' +
          'same answer, so that two tabs, or a phone that lost the answer, stay signed in; an older ' +
          'one ends the session. Needs no key where the tenant allows public refresh.',
        tags: ['Sessions'],
        body: RefreshSession,
        response: { 200: SessionTokens },
      },
      // Repeating a refresh is safe by itself; a stored answer would outlive the session's end.
      config: { scope: 'sessions:write', keyOptional: true, idempotent: false },
    },
    request => refresh.refresh(request.actor?.tenant ?? null, request.body),
  )
}
