import type { FastifyBaseLogger } from 'fastify'
import { type DestinationStream, pino } from 'pino'
import { systemClock } from '../shared/clock.ts'

/** What the line of a request says. All of it is ours and in order as it is. */
export interface RequestFacts {
  requestId: string
  method: string
  /** The pattern, never the URL; null where there is no such route. */
  route: string | null
  status: number
  durationMs: number
  tenantId: string | null
  actor: string | null
  /** Of the problem that it was answered with. */
  code: string | null
}

/** Writes the line of a request that went as it should. False: this logger cannot be written to. */
export type WriteRequestLine = (facts: RequestFacts) => boolean

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
  return ({ requestId, method, route, status, durationMs, tenantId, actor, code }) => {
    stream.write(
      `{"level":"info","time":"${isoNow()}","request_id":"${requestId}",` +
        `"method":"${method}","route":${route === null ? 'null' : `"${route}"`},` +
        `"status":${status},"duration_ms":${Math.round(durationMs * 100) / 100}` +
        (tenantId === null ? '' : `,"tenant_id":"${tenantId}","actor":"${actor}"`) +
        (code === null ? '' : `,"code":"${code}"`) +
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
