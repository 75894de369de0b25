import type { Database } from '@sesame/db'
import type { FastifyBaseLogger } from 'fastify'
import { createApiKeyService } from './api-keys/api-keys.service.ts'
import { createApiKeyStore } from './api-keys/api-keys.store.ts'
import { createLastUsed } from './api-keys/last-used.ts'
import { createDeviceService } from './devices/devices.service.ts'
import type { GeoLocator } from './devices/geo-location.ts'
import { createEventService } from './events/events.service.ts'
import { createEventStore } from './events/events.store.ts'
import { createFreshness } from './freshness/freshness.service.ts'
import { createFreshnessStore } from './freshness/freshness.store.ts'
import { createTenantCopies } from './freshness/tenant-copies.ts'
import { createIdempotencyStore } from './http/idempotency.store.ts'
import { createIdempotentRuns } from './http/idempotent-runs.ts'
import { createOAuthService } from './oauth/oauth.service.ts'
import { createRefreshService } from './refresh/refresh.service.ts'
import { createRefreshStore } from './refresh/refresh.store.ts'
import { createRefreshTokens } from './refresh/refresh-token.ts'
import { createRevocationStreams } from './revocations/revocation-streams.ts'
import { createRevocationService } from './revocations/revocations.service.ts'
import { createRevocationStore } from './revocations/revocations.store.ts'
import { createActivities } from './sessions/activity.ts'
import { createBulkFollowers } from './sessions/bulk-followers.ts'
import { createBulkRevokeStore } from './sessions/bulk-revoke.store.ts'
import { createErasureService } from './sessions/erasure.service.ts'
import { createErasureStore } from './sessions/erasure.store.ts'
import { createIssueTokens } from './sessions/issue-tokens.ts'
import { createLifetimeService } from './sessions/lifetimes.service.ts'
import { createLifetimeStore } from './sessions/lifetimes.store.ts'
import { createRevokeQueue } from './sessions/revoke-queue.ts'
import { createSessionLimitStore } from './sessions/session-limit.store.ts'
import { createSessionService } from './sessions/sessions.service.ts'
import { createSessionStore } from './sessions/sessions.store.ts'
import { createVerifyService } from './sessions/verify.service.ts'
import type { Clock } from './shared/clock.ts'
import { createMasterKey } from './shared/crypto.ts'
import { createCursors } from './shared/cursor.ts'
import { createSigningKeyService } from './signing-keys/signing-keys.service.ts'
import { createSigningKeyStore } from './signing-keys/signing-keys.store.ts'
import { createTenantService } from './tenants/tenants.service.ts'
import { createTenantStore } from './tenants/tenants.store.ts'
import { createVerifiedTokens } from './tokens/verified-tokens.cache.ts'
import { createHousekeeping } from './worker/housekeeping.ts'
import { createOwnTasks } from './worker/own-tasks.ts'
import { createSweepStore } from './worker/sweeps.store.ts'
import { createWorker } from './worker/worker.service.ts'

export interface ServiceDeps {
  database: Database
  /** 32 bytes. */
  masterKey: Buffer
  publicUrl: string
  geo: GeoLocator
  clock: Clock
  log: Pick<FastifyBaseLogger, 'error' | 'warn'>
}

const VERIFIED_TOKENS_PER_GENERATION = 16_384

export type Services = ReturnType<typeof createServices>

/** Makes every store and service, once: the only place that does. */
export function createServices(deps: ServiceDeps) {
  const { database, publicUrl, geo, clock, log } = deps
  const { pool, freshnessPool, prisma } = database
  const masterKey = createMasterKey(deps.masterKey)
  const cursors = createCursors(masterKey)
  const issuerOf = (tenantId: string): string => `${publicUrl}/t/${tenantId}`

  const freshnessStore = createFreshnessStore(database)
  const copies = createTenantCopies({ store: freshnessStore, masterKey, clock })
  // A new connection may lead to another server: restarted, restored, or promoted with less.
  freshnessPool.on('connect', copies.dropAll)
  const freshness = createFreshness({ store: freshnessStore, copies, clock })

  const apiKeyStore = createApiKeyStore(prisma)
  const lastUsed = createLastUsed(apiKeyStore.updateLastUsed, clock)
  const apiKeys = createApiKeyService({
    store: apiKeyStore,
    freshness,
    noteUse: lastUsed.note,
    cursors,
    clock,
  })

  const signingKeyStore = createSigningKeyStore(prisma)
  const signingKeys = createSigningKeyService({ store: signingKeyStore, masterKey, clock })

  const background = createBackground({ database, clock, log })
  const { lifetimeStore, lifetimes, bulk, followers, erasures } = background
  const activities = createActivities(lifetimeStore.updateActivity, clock)
  const tenantStore = createTenantStore(prisma)
  const tenants = createTenantService({
    store: tenantStore,
    apiKeys,
    signingKeys,
    lifetimes,
    cursors,
    clock,
  })

  const refreshTokens = createRefreshTokens(masterKey)
  const issueTokens = createIssueTokens({ refreshTokens, issuerOf })
  const sessionStore = createSessionStore(pool)
  const sessions = createSessionService({
    store: sessionStore,
    limits: createSessionLimitStore(pool),
    revokes: createRevokeQueue(sessionStore),
    bulk,
    followers,
    devices: createDeviceService({ geo }),
    refreshTokens,
    issueTokens,
    cursors,
    clock,
  })
  const refresh = createRefreshService({
    store: createRefreshStore(pool),
    refreshTokens,
    issueTokens,
    freshness,
    clock,
  })
  const verifier = createVerifyService({
    store: sessionStore,
    activities,
    verifiedTokens: createVerifiedTokens(VERIFIED_TOKENS_PER_GENERATION),
    clock,
    issuerOf,
  })
  const revocationStore = createRevocationStore(pool)
  const revocations = createRevocationService({ store: revocationStore, clock })
  const streams = createRevocationStreams({
    store: revocationStore,
    clock,
    onError: error => log.warn({ err: error }, 'the revocation feed could not be read'),
  })
  const idempotentRuns = createIdempotentRuns({
    store: createIdempotencyStore(pool, masterKey),
    clock,
  })
  const worker = createWorker({
    ownTasks: createOwnTasks({ lastUsed, activities }),
    sweeps: background.housekeeping,
    onError: onTaskError(log),
  })
  const oauth = createOAuthService({ verifier, refresh, sessions })
  const events = createEventService({ store: createEventStore(prisma), cursors })

  return {
    apiKeys,
    erasures,
    events,
    followers,
    freshness,
    idempotentRuns,
    oauth,
    pingDatabase: () => pool.query('SELECT 1'),
    refresh,
    revocations,
    streams,
    sessions,
    signingKeys,
    tenants,
    verifier,
    worker,
  }
}

/** What `worker.ts` runs: no key and no secret is needed for it. */
export function createWorkerServices({ database, clock, log }: WorkerServiceDeps) {
  const { housekeeping } = createBackground({ database, clock, log })
  return { worker: createWorker({ ownTasks: [], sweeps: housekeeping, onError: onTaskError(log) }) }
}

type WorkerServiceDeps = Pick<ServiceDeps, 'database' | 'clock' | 'log'>

/** What goes on behind requests, in a node or apart from it. */
function createBackground({ database: { pool }, clock, log }: WorkerServiceDeps) {
  const lifetimeStore = createLifetimeStore(pool)
  const lifetimes = createLifetimeService({
    store: lifetimeStore,
    clock,
    onError: error => log.warn({ err: error }, 'shortened lifetimes could not be applied yet'),
  })
  const bulk = createBulkRevokeStore(pool)
  const followers = createBulkFollowers({
    clock,
    store: bulk,
    onError: error => log.error({ err: error }, 'a batch of a bulk revoke failed'),
  })
  const erasures = createErasureService({
    store: createErasureStore(pool),
    bulk,
    followers,
    clock,
  })
  const store = createSweepStore(pool)
  const housekeeping = createHousekeeping({ store, followers, lifetimes, erasures })
  return { lifetimeStore, lifetimes, bulk, followers, erasures, housekeeping }
}

const onTaskError = (log: ServiceDeps['log']) => (error: unknown, task: string) =>
  log.error({ err: error, task }, 'a background task failed')
