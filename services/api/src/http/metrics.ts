import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { createRequestDurations } from './request-durations.ts'

/** What a node counts. Nothing in it names a tenant, a user or a key. */
export interface Metrics {
  registry: Registry
  durations: ReturnType<typeof createRequestDurations>
  /** `valid`, or why a token was refused. */
  verifyVerdict(reason: string): void
}

/** The part of a pg pool that is watched. */
export interface WatchedPool {
  readonly totalCount: number
  readonly idleCount: number
  readonly waitingCount: number
}

/** @param pools by the name that they have in the metrics. */
export function createMetrics(pools: Readonly<Record<string, WatchedPool>> = {}): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const verdicts = new Counter({
    name: 'sesame_verify_verdicts_total',
    help: 'Verdicts of verify, by reason.',
    labelNames: ['reason'],
    registers: [registry],
  })
  watchPools(registry, pools)
  const pending = new Map<string, number>()
  const counted = verdicts.get.bind(verdicts)
  // Counted in a map and handed over when somebody looks: it is on the path of every verify.
  verdicts.get = () => {
    for (const [reason, times] of pending) verdicts.inc({ reason }, times)
    pending.clear()
    return counted()
  }
  return {
    registry,
    durations: createRequestDurations(registry),
    verifyVerdict: reason => {
      pending.set(reason, (pending.get(reason) ?? 0) + 1)
    },
  }
}

function watchPools(registry: Registry, pools: Readonly<Record<string, WatchedPool>>): void {
  new Gauge({
    name: 'sesame_pg_pool_connections',
    help: 'Connections to Postgres, and callers that wait for one.',
    labelNames: ['pool', 'state'],
    registers: [registry],
    collect() {
      for (const [pool, { totalCount, idleCount, waitingCount }] of Object.entries(pools)) {
        this.set({ pool, state: 'busy' }, totalCount - idleCount)
        this.set({ pool, state: 'idle' }, idleCount)
        this.set({ pool, state: 'waiting' }, waitingCount)
      }
    },
  })
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
  registry: Registry
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
