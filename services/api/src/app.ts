import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import type { Redis } from 'ioredis'
import { apiKeyRoutes } from './api-keys/api-keys.routes.ts'
import { eventRoutes } from './events/events.routes.ts'
import { createAddressLimiter } from './http/address-limit.ts'
import { authentication } from './http/authentication.ts'
import { errorPages } from './http/error-pages.ts'
import { idempotency } from './http/idempotency.ts'
import { problemHandler } from './http/problem-handler.ts'
import { createRateLimiter } from './http/rate-limit.ts'
import { createRateLimits } from './http/rate-limit-hook.ts'
import { securityHeadersPlugin } from './http/security-headers.ts'
import { createServerOptions } from './http/server-options.ts'
import { strictInput } from './http/strict-input.ts'
import { refreshRoutes } from './refresh/refresh.routes.ts'
import { sessionRoutes } from './sessions/sessions.routes.ts'
import { type Clock, systemClock } from './shared/clock.ts'
import type { Config } from './shared/config.ts'
import { discoveryRoutes } from './signing-keys/discovery.routes.ts'
import { signingKeyRoutes } from './signing-keys/signing-keys.routes.ts'
import { tenantRoutes } from './tenants/tenants.routes.ts'
import type { Services } from './wiring.ts'

export interface AppDeps {
  config: Pick<Config, 'publicUrl' | 'trustProxy'>
  services: Services
  log: FastifyBaseLogger
  /** SHA-256 of the operator key. */
  operatorKeyHash: Buffer
  /** Null, or left out: this is the only node. */
  redis?: Redis | null
  clock?: Clock
}

/** The map of the service: what every request passes, in order, and where it can go. */
export async function buildApp(deps: AppDeps): Promise<FastifyInstance> {
  const { config, services, log, operatorKeyHash, redis = null, clock = systemClock } = deps
  const { publicUrl, trustProxy } = config
  const {
    apiKeys,
    events,
    freshness,
    idempotentRuns,
    refresh,
    sessions,
    signingKeys,
    tenants,
    verifier,
  } = services
  const rateLimits = createRateLimits({
    limiter: createRateLimiter({ redis, clock, log }),
    addresses: createAddressLimiter({ clock }),
  })
  const app = Fastify(
    createServerOptions({ publicUrl, logger: log, trustProxy }),
  ).withTypeProvider<TypeBoxTypeProvider>()

  await app.register(securityHeadersPlugin, { publicUrl })
  await app.register(problemHandler, { publicUrl })
  await app.register(strictInput)
  await app.register(authentication, { apiKeys, freshness, operatorKeyHash, rateLimits })
  await app.register(idempotency, { runs: idempotentRuns })

  await app.register(errorPages)
  await app.register(discoveryRoutes, { freshness, clock, publicUrl })
  await app.register(
    async v1 => {
      await v1.register(sessionRoutes, { sessions, verifier, noteVerdict: () => {} })
      await v1.register(refreshRoutes, { refresh })
      await v1.register(eventRoutes, { events })
      await v1.register(apiKeyRoutes, { apiKeys })
      await v1.register(signingKeyRoutes, { signingKeys })
      await v1.register(tenantRoutes, { tenants })
    },
    { prefix: '/v1' },
  )
  await app.ready()
  return app
}
