import type { RequestListener, Server } from 'node:http'
import type { FastifyBaseLogger, FastifyHttpOptions } from 'fastify'
import { newId } from '../shared/ids.ts'
import { createServer } from '../shared/node-http.ts'
import { createClientErrorHandler } from './client-errors.ts'
import { RequestLog } from './logging.ts'
import { createFrameworkErrorHandler } from './problem-handler.ts'
import { parseQueryString } from './query-string.ts'
import type { WriteRequestLine } from './request-line.ts'
import { RequestLogger } from './request-logger.ts'

const MAX_BODY_BYTES = 64 * 1024
// Tenants may bring ids of 128 characters, and one of those may be percent-encoded in three each.
const MAX_PARAM_LENGTH = 384
const MAX_HEADER_BYTES = 16 * 1024

/** Node's own limits. */
const HTTP = {
  // Longer than what proxies keep idle connections for, so that it is never us who close one just
  // as a request is being sent.
  keepAliveTimeout: 75_000,
  requestTimeout: 15_000,
  headersTimeout: 10_000,
  maxHeaderSize: MAX_HEADER_BYTES,
  connectionsCheckingInterval: 2_000,
  // Checked by us, so that the answer is a problem document like every other.
  requireHostHeader: false,
}

export interface ServerOptions {
  publicUrl: string
  logger: FastifyBaseLogger
  trustProxy: false | number | string[]
  writeLine: WriteRequestLine
  /** Stands before the framework's own listener; left out: nothing does. */
  before?(listener: RequestListener): RequestListener
}

/** What must be said when the server is made, because no plugin can say it later. */
export function createServerOptions(options: ServerOptions) {
  const { publicUrl, logger, trustProxy, writeLine, before = listener => listener } = options
  return {
    serverFactory: (listener: RequestListener): Server => createServer(HTTP, before(listener)),
    loggerInstance: logger,
    logController: new RequestLog(writeLine),
    childLoggerFactory: (parent: FastifyBaseLogger, bindings: Record<string, unknown>) =>
      new RequestLogger(parent, bindings),
    trustProxy: toTrustProxy(trustProxy),
    bodyLimit: MAX_BODY_BYTES,
    // A caller's own x-request-id is not believed: two requests could then share a name.
    requestIdHeader: false,
    genReqId: () => newId('req'),
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH, querystringParser: parseQueryString },
    clientErrorHandler: createClientErrorHandler(publicUrl),
    frameworkErrors: createFrameworkErrorHandler(publicUrl),
    // While stopping: what arrives on an open connection is still answered, with Connection: close.
    return503OnClosing: false,
  } satisfies FastifyHttpOptions<Server>
}

/**
 * Fastify 5.12 believes no hop when it is told a number, since anybody could send that many. Counted
 * from our end it is safe: the nearest `hops` addresses are those of our own proxies.
 */
function toTrustProxy(trustProxy: false | number | string[]) {
  if (typeof trustProxy !== 'number') return trustProxy
  return (_address: string, hop: number): boolean => hop < trustProxy
}
