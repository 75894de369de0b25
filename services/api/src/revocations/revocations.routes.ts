import type { ServerResponse } from 'node:http'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyTypeProviderDefault } from 'fastify'
import { actorOf } from '../http/request-context.ts'
import { Problem } from '../shared/problem.ts'
import { Type } from '../shared/type.ts'
import type { RevocationStreams } from './revocation-streams.ts'
import { ListRevocationsQuery, RevocationPage } from './revocations.schema.ts'
import type { RevocationService } from './revocations.service.ts'

export interface RevocationRoutesOptions {
  revocations: RevocationService
  streams: RevocationStreams
}

export const revocationRoutes: FastifyPluginAsyncTypebox<RevocationRoutesOptions> = async (
  app,
  { revocations, streams },
) => {
  const tags = ['Revocations']
  const config = { scope: 'revocations:read' } as const
  app.addHook('preClose', async () => streams.close())

  app.get(
    '/revocations',
    {
      schema: {
        operationId: 'listRevocations',
        summary: 'The feed of revocations, for those who poll',
        description:
          'Ordered, each entry once: sessions that were revoked or changed, bulk revokes, changes of ' +
          'signing keys and of the tenant. An entry is forgotten when no token can need it.',
        tags,
        querystring: ListRevocationsQuery,
        response: { 200: RevocationPage },
      },
      config,
    },
    request => revocations.list(actorOf(request).tenant, request.query),
  )

  // A stream is no text, whatever the schema says of it: the types of the answer are left aside.
  app.withTypeProvider<FastifyTypeProviderDefault>().get(
    '/revocations/stream',
    {
      exposeHeadRoute: false,
      schema: {
        operationId: 'streamRevocations',
        summary: 'The feed of revocations as it happens (Server-Sent Events)',
        description:
          'First what still matters, or what came after `Last-Event-ID`, then `synced`, then each ' +
          'revocation as it happens, with a `heartbeat` every five seconds. More than 1,000 entries ' +
          'to catch up with come as `snapshot`: up to 1,000 `session_ids` that are revoked until ' +
          '`forget_after`. `reset` means: forget what you know. When the stream ends, come back ' +
          'with `Last-Event-ID`, at any node.',
        tags,
        headers: Type.Object({
          'last-event-id': Type.Optional(
            Type.String({ maxLength: 20, description: 'The `id` of the last event that came.' }),
          ),
        }),
        response: {
          200: {
            description:
              'Events of the types of a revocation, and snapshot, synced, heartbeat, reset.',
            content: { 'text/event-stream': { schema: Type.String() } },
          },
        },
      },
      config,
    },
    (request, reply) => {
      const after = readLastEventId(request.headers['last-event-id'])
      const stream = streams.open(actorOf(request), after)
      stream.once('close', () => closeSoon(reply.raw))
      reply.header('content-type', 'text/event-stream; charset=utf-8')
      // Proxies that gather an answer before they hand it on would hold revocations back.
      reply.header('x-accel-buffering', 'no')
      return reply.send(stream)
    },
  )
}

const LAST_BYTES_MS = 5_000

/** A reader that does not take even the end of its stream would hold the socket for ever. */
function closeSoon(response: ServerResponse): void {
  if (response.writableFinished || response.destroyed) return
  setTimeout(() => {
    if (!response.writableFinished) response.destroy()
  }, LAST_BYTES_MS).unref()
}

const SEQ = /^(?:0|[1-9]\d{0,15})$/

function readLastEventId(header: string | string[] | undefined): number | null {
  if (header === undefined || header === '') return null
  if (typeof header === 'string' && SEQ.test(header)) return Number(header)
  throw new Problem('request_invalid', {
    errors: [{ field: 'header.last-event-id', message: 'must be the id of an event of this feed' }],
  })
}
