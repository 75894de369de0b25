import type { RequestListener } from 'node:http'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import type { Redis } from 'ioredis'
import { apiKeyRoutes } from './api-keys/api-keys.routes.ts'
import { ApiKey, ApiKeyWithSecret } from './api-keys/api-keys.schema.ts'
import { eventRoutes } from './events/events.routes.ts'
import { Event } from './events/events.schema.ts'
import { createAddressLimiter } from './http/address-limit.ts'
import { authentication } from './http/authentication.ts'
import { errorPages } from './http/error-pages.ts'
import type { HeadStarts } from './http/head-start.ts'
import { healthRoutes } from './http/health.ts'
import { idempotency } from './http/idempotency.ts'
import { createMetrics, type Metrics, requestMetrics } from './http/metrics.ts'
import { openApi } from './http/openapi.ts'
import { problemHandler } from './http/problem-handler.ts'
import { createRateLimiter } from './http/rate-limit.ts'
import { createRateLimits } from './http/rate-limit-hook.ts'
import { createRequestLine } from './http/request-line.ts'
import { createSecretMemory } from './http/secret-memory.ts'
import { securityHeadersPlugin } from './http/security-headers.ts'
import { createServerOptions } from './http/server-options.ts'
import { strictInput } from './http/strict-input.ts'
import { oauthRoutes } from './oauth/oauth.routes.ts'
import { refreshRoutes } from './refresh/refresh.routes.ts'
import { revocationRoutes } from './revocations/revocations.routes.ts'
import { Revocation } from './revocations/revocations.schema.ts'
import { sessionRoutes } from './sessions/sessions.routes.ts'
import { Session, SessionTokens, Verification } from './sessions/sessions.schema.ts'
import { userRoutes } from './sessions/users.routes.ts'
import { Erasure } from './sessions/users.schema.ts'
import { createVerifyShortcut, VERIFY_PATH } from './sessions/verify.shortcut.ts'
import { type Clock, systemClock } from './shared/clock.ts'
import type { Config } from './shared/config.ts'
import { discoveryRoutes } from './signing-keys/discovery.routes.ts'
import { signingKeyRoutes } from './signing-keys/signing-keys.routes.ts'
import { JwkSet, SigningKey } from './signing-keys/signing-keys.schema.ts'
import { tenantRoutes } from './tenants/tenants.routes.ts'
import { Tenant, TenantSettings } from './tenants/tenants.schema.ts'
import type { Services } from './wiring.ts'

export interface AppDeps {
  config: Pick<Config, 'publicUrl' | 'trustProxy'>
  services: Services
  log: FastifyBaseLogger
  /** SHA-256 of the operator key. */
  operatorKeyHash: Buffer
  /** Null, or left out: this is the only node. */
  redis?: Redis | null
  metrics?: Metrics
  clock?: Clock
  /** True from the moment that a stop was asked for. */
  isStopping?: () => boolean
}

/** By the names they have in the OpenAPI document. */
const NAMED_SCHEMAS = {
  ApiKey,
  ApiKeyWithSecret,
  Erasure,
  Event,
  JwkSet,
  Revocation,
  Session,
  SessionTokens,
  SigningKey,
  Tenant,
  TenantSettings,
  Verification,
}

/** The map of the service: what every request passes, in order, and where it can go. */
export async function buildApp(deps: AppDeps): Promise<FastifyInstance> {
  const { config, services, log, operatorKeyHash, redis = null, clock = systemClock } = deps
  const { metrics = createMetrics(), isStopping = () => false } = deps
  const { publicUrl, trustProxy } = config
  const { apiKeys, freshness, signingKeys, tenants, idempotentRuns, pingDatabase } = services
  const rateLimits = createRateLimits({
    limiter: createRateLimiter({ redis, clock, log }),
    addresses: createAddressLimiter({ clock }),
  })
  const secrets = createSecretMemory()
  const headStarts: HeadStarts = new WeakMap()
  const writeLine = createRequestLine(log)
  const before = (theLongWay: RequestListener): RequestListener =>
    createVerifyShortcut(
      {
        ...{ apiKeys, freshness, secrets, headStarts, writeLine, publicUrl, isStopping },
        take: rateLimits.take,
        verifier: services.verifier,
        durations: metrics.durations.forRoute('POST', VERIFY_PATH),
        noteVerdict: metrics.verifyVerdict,
      },
      theLongWay,
    )
  const app = Fastify(
    createServerOptions({ publicUrl, logger: log, trustProxy, writeLine, before }),
  ).withTypeProvider<TypeBoxTypeProvider>()

  await app.register(securityHeadersPlugin, { publicUrl })
  await app.register(problemHandler, { publicUrl })
  await app.register(strictInput)
  await app.register(requestMetrics, metrics)
  const callers = { apiKeys, freshness, operatorKeyHash, rateLimits, secrets, headStarts }
  await app.register(authentication, callers)
  await app.register(idempotency, { runs: idempotentRuns })
  await app.register(openApi, { publicUrl, schemas: NAMED_SCHEMAS })

  await app.register(healthRoutes, { pingDatabase, redis, isStopping })
  await app.register(errorPages)
  await app.register(discoveryRoutes, { freshness, clock, publicUrl, rateLimits })
  await app.register(
    async v1 => {
      const { sessions, erasures, verifier, refresh, revocations, streams, events } = services
      await v1.register(sessionRoutes, { sessions, verifier, noteVerdict: metrics.verifyVerdict })
      await v1.register(userRoutes, { sessions, erasures })
      await v1.register(refreshRoutes, { refresh })
      await v1.register(revocationRoutes, { revocations, streams })
      await v1.register(oauthRoutes, { oauth: services.oauth })
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
