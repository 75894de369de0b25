import { once } from 'node:events'
import type { Server } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Registry } from 'prom-client'
import { createServer } from '../shared/node-http.ts'
import { createRequestDurations } from './request-durations.ts'

/** What a node counts. Nothing in it names a tenant, a user or a key. */
export interface Metrics {
  registry: MetricsText
  durations: ReturnType<typeof createRequestDurations>
  /** `valid`, or why a token was refused. */
  verifyVerdict(reason: string): void
}

export interface MetricsText {
  contentType: string
  /** All that is counted, and what the process says of itself, as Prometheus reads it. */
  metrics(): Promise<string>
}

/** The part of a pg pool that is watched. */
export interface WatchedPool {
  readonly totalCount: number
  readonly idleCount: number
  readonly waitingCount: number
}

const PROMETHEUS_TEXT = 'text/plain; version=0.0.4; charset=utf-8'

/** @param pools by the name that they have in the metrics. */
export function createMetrics(pools: Readonly<Record<string, WatchedPool>> = {}): Metrics {
  const durations = createRequestDurations()
  const verdicts = new Map<string, number>()
  let loaded: Promise<Registry> | undefined
  // What is counted is counted from the start. prom-client, which only puts it into words, is loaded
  // when somebody first asks: 80 files, 6 % of a start.
  const load = async () => {
    const { createRegistry } = await import('./metrics-registry.ts')
    return createRegistry({ durations, verdicts, pools })
  }
  return {
    registry: {
      contentType: PROMETHEUS_TEXT,
      async metrics() {
        loaded ??= load()
        return (await loaded).metrics()
      },
    },
    durations,
    verifyVerdict: reason => {
      verdicts.set(reason, (verdicts.get(reason) ?? 0) + 1)
    },
  }
}

const UNMATCHED = '(none)'

/** Times every request. Register it before the routes. */
export const requestMetrics = fp<Pick<Metrics, 'durations'>>(
  async (app, { durations }) => {
    const unmatched = durations.forRoute('(any)', UNMATCHED)
    app.addHook('onRoute', route => {
      const timed = durations.forRoute(String(route.method), route.url)
      const hooks = route.onResponse ?? []
      route.onResponse = [
        ...(Array.isArray(hooks) ? hooks : [hooks]),
        (_request: FastifyRequest, reply: FastifyReply, done: () => void) => {
          timed.observe(reply.statusCode, reply.elapsedTime / 1_000)
          done()
        },
      ]
    })
    app.addHook('onResponse', (request, reply, done) => {
      if (request.is404) unmatched.observe(reply.statusCode, reply.elapsedTime / 1_000)
      done()
    })
  },
  { name: 'request-metrics' },
)

export interface MetricsServerOptions {
  host: string
  port: number
  registry: MetricsText
}

export interface MetricsServer {
  port: number
  close(): Promise<void>
}

/**
 * `GET /metrics` on a port of its own, for the inside of a network.
 *
 * @throws when the port is taken
 */
export async function startMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  const { host, port, registry } = options
  const server = createServer({ requestTimeout: 5_000 }, (request, response) => {
    const path = request.url?.split('?', 1)[0]
    if (path !== '/metrics' || (request.method !== 'GET' && request.method !== 'HEAD')) {
      response.writeHead(404).end()
      return
    }
    registry.metrics().then(
      text => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      () => response.writeHead(500).end(),
    )
  })
  server.listen({ host, port })
  await once(server, 'listening')
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () => closeServer(server),
  }
}

function closeServer(server: Server): Promise<void> {
  return new Promise(resolve => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
