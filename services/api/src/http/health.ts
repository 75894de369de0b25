import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Problem } from '../shared/problem.ts'
import { Type } from '../shared/type.ts'
import './route-config.ts'

export interface HealthOptions {
  /** Asks Postgres anything; rejects when it does not answer. */
  pingDatabase(): Promise<unknown>
  /** Null on a node without Redis. */
  redis: { readonly status: string } | null
  /** True from the moment that a stop was asked for. */
  isStopping(): boolean
}

const DATABASE_TIMEOUT_MS = 1_000

/** Whether the process lives, and whether it should be given requests: two different questions. */
export const healthRoutes: FastifyPluginAsyncTypebox<HealthOptions> = async (app, options) => {
  const { pingDatabase, redis, isStopping } = options
  const tags = ['Service']
  const config = { public: true, quiet: true } as const

  app.get(
    '/healthz',
    {
      schema: {
        operationId: 'getHealth',
        summary: 'The process is up',
        description: 'Asks nothing of anybody: a restart would not help a database that is away.',
        tags,
        response: { 200: Health },
      },
      config,
    },
    async () => ({ status: 'ok' as const }),
  )

  app.get(
    '/readyz',
    {
      schema: {
        operationId: 'getReadiness',
        summary: 'The node can answer requests',
        description: 'Redis is told of and never decides: without it each node goes on by itself.',
        tags,
        response: { 200: Readiness },
      },
      config,
    },
    async () => {
      if (isStopping()) throw notReady('The node is stopping.')
      if (!(await answersInTime(pingDatabase))) throw notReady('The database does not answer.')
      return { status: 'ready' as const, database: 'up' as const, redis: stateOf(redis) }
    },
  )
}

const Health = Type.Object({ status: Type.Literal('ok') }, { additionalProperties: false })

const Readiness = Type.Object(
  {
    status: Type.Literal('ready'),
    database: Type.Literal('up'),
    redis: Type.Enum(['up', 'down', 'none']),
  },
  { additionalProperties: false },
)

function stateOf(redis: HealthOptions['redis']): 'up' | 'down' | 'none' {
  if (redis === null) return 'none'
  return redis.status === 'ready' ? 'up' : 'down'
}

const notReady = (detail: string): Problem =>
  new Problem('service_unavailable', { detail, headers: { 'retry-after': '1' } })

async function answersInTime(ping: () => Promise<unknown>): Promise<boolean> {
  const answered = ping().then(
    () => true,
    () => false,
  )
  return Promise.race([answered, sleep(DATABASE_TIMEOUT_MS, false, { ref: false })])
}
