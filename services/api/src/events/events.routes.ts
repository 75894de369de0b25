import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { actorOf } from '../http/request-context.ts'
import { Page } from '../shared/schema.ts'
import { Event, ListEventsQuery } from './events.schema.ts'
import type { EventService } from './events.service.ts'

export const eventRoutes: FastifyPluginAsyncTypebox<{ events: EventService }> = async (
  app,
  { events },
) => {
  app.get(
    '/events',
    {
      schema: {
        operationId: 'listEvents',
        summary: 'The audit trail, newest first',
        tags: ['Events'],
        querystring: ListEventsQuery,
        response: { 200: Page(Event) },
      },
      config: { scope: 'events:read' },
    },
    request => events.list(actorOf(request).tenantId, request.query),
  )
}
