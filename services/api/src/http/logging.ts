import {
  type FastifyBaseLogger,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify'
import { type DestinationStream, pino } from 'pino'
import { toSafeLine } from './log-line.ts'
import './problem-handler.ts'
import './request-context.ts'
import type { RequestFacts, WriteRequestLine } from './request-line.ts'
import './route-config.ts'

export interface LoggerOptions {
  level: string
  /** Where the lines go; standard output when left out. */
  destination?: DestinationStream
}

/** The logger of a process: JSON, one bounded line an event, nothing in it that opens a door. */
export function createLogger({ level, destination }: LoggerOptions): FastifyBaseLogger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    hooks: { streamWrite: toSafeLine },
    serializers: SERIALIZERS,
  }
  return destination === undefined ? pino(options) : pino(options, destination)
}

const MAX_HELD_CHARS = 32_768
const MAX_HELD_MS = 100

/**
 * Standard error (stdout is for people), some lines at a time: a system call for each costs more than
 * to write the line. What is held is written when the process ends, in whatever way it can notice.
 */
export function createLogDestination(): DestinationStream {
  const destination = pino.destination({ fd: 2, sync: true })
  let held = ''
  const flush = (): void => {
    const lines = held
    held = ''
    if (lines !== '') destination.write(lines)
  }
  setInterval(flush, MAX_HELD_MS).unref()
  process.on('exit', () => {
    flush()
    destination.flushSync()
  })
  return {
    write(line) {
      held += line
      if (held.length >= MAX_HELD_CHARS) flush()
    },
  }
}

/** What Fastify logs by itself: one line for each request, when it is over. */
export class RequestLog extends LogController {
  readonly #write: WriteRequestLine

  constructor(write: WriteRequestLine) {
    super({ requestIdLogLabel: 'request_id' })
    this.#write = write
  }

  override incomingRequest(): void {}

  /** The not-found handler answers with a problem; the request's own line says so. */
  override routeNotFound(): void {}

  override requestCompleted(
    error: Error | null | undefined,
    request: FastifyRequest,
    reply: FastifyReply,
  ): void {
    const { config, url } = request.routeOptions
    const isPlain = !error && config.quiet !== true && request.problem?.internal === undefined
    if (isPlain && this.#write(toFacts(request, reply))) return
    const line = {
      method: request.method,
      // The pattern, never the URL: that holds ids, filters and whatever a caller put there.
      route: url ?? null,
      status: reply.statusCode,
      duration_ms: Math.round(reply.elapsedTime * 100) / 100,
      tenant_id: request.actor?.tenantId,
      actor: request.actor?.actor,
      code: request.problem?.code,
      reason: request.problem?.internal,
    }
    if (error) request.log.warn({ ...line, err: error }, 'request cut off')
    else if (config.quiet === true) request.log.debug(line, 'request completed')
    else request.log.info(line, 'request completed')
  }
}

const toFacts = (request: FastifyRequest, reply: FastifyReply): RequestFacts => ({
  requestId: request.id,
  method: request.method,
  route: request.routeOptions.url ?? null,
  status: reply.statusCode,
  durationMs: reply.elapsedTime,
  tenantId: request.actor?.tenantId ?? null,
  actor: request.actor?.actor ?? null,
  code: request.problem?.code ?? null,
})

const MAX_STACK_CHARS = 4_000
const MAX_CAUSES = 4

/**
 * An error by its name, code, text and stack. Not by its other fields: those of Postgres hold rows,
 * those of HTTP clients whole requests.
 */
function describeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return { type: typeof error }
  const code: unknown = Reflect.get(error, 'code')
  return {
    type: error.name,
    code: typeof code === 'string' ? code : undefined,
    message: error.message.slice(0, MAX_STACK_CHARS),
    stack: error.stack?.slice(0, MAX_STACK_CHARS),
    cause:
      error.cause === undefined || depth === MAX_CAUSES
        ? undefined
        : describeError(error.cause, depth + 1),
  }
}

const NOT_LOGGED = '[not logged]'
const withheld = () => NOT_LOGGED

// Whoever logs a whole request by habit gets what is safe of it.
const SERIALIZERS = {
  err: (error: unknown) => describeError(error),
  error: (error: unknown) => describeError(error),
  req: (request: unknown) => ({ method: Reflect.get(Object(request), 'method') }),
  res: (reply: unknown) => ({ status: Reflect.get(Object(reply), 'statusCode') }),
  authorization: withheld,
  body: withheld,
  cookies: withheld,
  headers: withheld,
  params: withheld,
  password: withheld,
  query: withheld,
  secret: withheld,
  token: withheld,
  url: withheld,
}
