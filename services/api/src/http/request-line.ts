import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify'
import { type DestinationStream, pino } from 'pino'
import { systemClock } from '../shared/clock.ts'
import './problem-handler.ts'
import './request-context.ts'

/** Writes the line of a request that went as it should. False: this logger does not want it. */
export type WriteRequestLine = (request: FastifyRequest, reply: FastifyReply) => boolean

const INFO = 30

/**
 * The line that every request leaves, put together by hand: a logger made for the request and a line
 * made by it were a seventh of a verify. All that goes in is ours and in order as it is (ids, a method
 * that Node knows, the pattern of a route, numbers), so there is nothing in it to escape or to hide.
 */
export function createRequestLine(logger: FastifyBaseLogger): WriteRequestLine {
  const stream = destinationOf(logger)
  if (stream === null) return () => false
  // A level that has no number is "silent".
  if ((pino.levels.values[logger.level] ?? Number.POSITIVE_INFINITY) > INFO) return () => true
  return (request, reply) => {
    const { actor, problem } = request
    const route = request.routeOptions.url
    const durationMs = Math.round(reply.elapsedTime * 100) / 100
    stream.write(
      `{"level":"info","time":"${isoNow()}","request_id":"${request.id}",` +
        `"method":"${request.method}","route":${route === undefined ? 'null' : `"${route}"`},` +
        `"status":${reply.statusCode},"duration_ms":${durationMs}` +
        (actor === null ? '' : `,"tenant_id":"${actor.tenantId}","actor":"${actor.actor}"`) +
        (problem === null ? '' : `,"code":"${problem.code}"`) +
        ',"msg":"request completed"}\n',
    )
    return true
  }
}

function destinationOf(logger: FastifyBaseLogger): DestinationStream | null {
  const stream: unknown = Reflect.get(logger, pino.symbols.streamSym)
  return isDestination(stream) ? stream : null
}

const isDestination = (stream: unknown): stream is DestinationStream =>
  typeof stream === 'object' && stream !== null && 'write' in stream

let knownMs = 0
let knownText = ''

/** Many requests end within one millisecond. */
function isoNow(): string {
  const nowMs = systemClock.nowMs()
  if (nowMs !== knownMs) {
    knownMs = nowMs
    knownText = new Date(nowMs).toISOString()
  }
  return knownText
}
