import { setTimeout as sleep } from 'node:timers/promises'
import { migrate, openDatabase, startEmbeddedPostgres } from '@sesame/db'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { buildApp } from './app.ts'
import { createGeoLocator } from './devices/geo-location.ts'
import { createLogDestination, createLogger } from './http/logging.ts'
import { createMetrics } from './http/metrics.ts'
import { type Config, httpUrl, loadConfig } from './shared/config.ts'
import { explainStartError, say } from './start/console.ts'
import { createDatabaseClock } from './start/database-clock.ts'
import { giveBackMemory } from './start/give-back-memory.ts'
import { serveMetrics } from './start/metrics-port.ts'
import { connectRedis } from './start/redis.ts'
import { masterKeyPath, prepareSecrets, type Secrets } from './start/secrets.ts'
import { createServiceSettingsStore } from './start/service-settings.store.ts'
import { createOpened, settlesWithin, stopOnSignal } from './start/shutdown.ts'
import { renderWelcome } from './start/welcome.ts'
import { createServices, type Services } from './wiring.ts'

// What a stop may take after the requests in flight: background work, connections, Postgres.
const CLOSE_LIMIT_MS = 4_000

/** Thrown where a start gives way to a stop. */
class Stopped extends Error {}

const opened = createOpened()
let isStopping = false

await main()

async function main(): Promise<void> {
  let config: Config | null = null
  try {
    // biome-ignore lint/style/noProcessEnv: the one place that hands it on
    config = loadConfig(process.env)
    const log = createLogger({ level: config.logLevel, destination: createLogDestination() })
    const starting = start(config, log)
    stopOnSignal({
      stop: () => stop(starting, log),
      limitMs: config.shutdownDelayMs + config.shutdownGraceMs + CLOSE_LIMIT_MS,
    })
    await starting
  } catch (error) {
    if (error instanceof Stopped || isStopping) return
    await fail(error, config)
  }
}

async function start(config: Config, log: FastifyBaseLogger): Promise<void> {
  // What nobody caught is logged, in one line, and the service goes on for everybody else.
  process.on('uncaughtException', error => log.fatal({ err: error }, 'an error that nobody caught'))
  const databaseUrl = config.databaseUrl ?? (await startDatabase(config, log))
  await migrate({ databaseUrl })
  giveWay()
  const database = openDatabase({
    databaseUrl,
    poolSize: config.databasePoolSize,
    onConnectionError: error => log.warn({ err: error }, 'a database connection broke'),
  })
  opened.add(() => database.close())
  const clock = await createDatabaseClock(database.pool, err =>
    log.warn({ err }, 'the clock of Postgres could not be read'),
  )
  opened.add(async () => clock.stop())
  const settings = createServiceSettingsStore(database.pool)
  const secrets = await prepareSecrets({ config, settings })
  opened.add(() => secrets.release())
  giveWay()
  const { masterKey, operatorKeyHash } = secrets
  const { publicUrl } = config
  const redis = config.redisUrl === null ? null : await connectRedis(config.redisUrl, log)
  opened.add(async () => redis?.disconnect())
  const geo = createGeoLocator({ warn: (message, err) => log.warn({ err }, message) })
  const services = createServices({
    database,
    masterKey,
    publicUrl,
    geo,
    clock,
    log,
  })
  services.worker.start({ sweeps: config.runsSweeps || config.databaseUrl === null })
  opened.add(() => services.worker.stop())
  const { pool, freshnessPool } = database
  const metrics = createMetrics({ main: pool, freshness: freshnessPool })
  await serveMetrics(config, metrics, opened, log)
  const app = await buildApp({
    config,
    services,
    log,
    operatorKeyHash,
    redis,
    metrics,
    clock,
    isStopping: () => isStopping,
  })
  opened.add(() => closeGently(app, config.shutdownGraceMs))
  giveWay()
  await app.listen({ host: config.host, port: config.port })
  // The first step of a stop: `/readyz` says so already, and whoever has not heard is served.
  opened.add(() => sleep(config.shutdownDelayMs))
  await welcome(config, services, secrets)
  say(`Sesame is ready on ${httpUrl(config.host, config.port)}`)
  giveBackMemory(() => services.freshness.counts.requests > 0)
}

async function startDatabase({ dataDir }: Config, log: FastifyBaseLogger): Promise<string> {
  const onLog = (line: string) => log.debug({ component: 'postgres' }, line)
  const postgres = await startEmbeddedPostgres({ dataDir, onLog })
  opened.add(() => postgres.stop())
  giveWay()
  return postgres.url
}

/** Shows what was made on this start, and only then records that it was. */
async function welcome(config: Config, services: Services, secrets: Secrets): Promise<void> {
  const created = secrets.needsDemoTenant ? await services.tenants.create({ name: 'Demo' }) : null
  const demo = created && { tenantId: created.tenant.id, secretKey: created.api_key.secret }
  const { host, port, dataDir } = config
  const text = renderWelcome({
    host,
    port,
    ...secrets.made,
    masterKeyPath: masterKeyPath(dataDir),
    demo,
  })
  if (text !== '') say(text)
  await secrets.finish(demo?.tenantId ?? null)
}

/** Requests in flight may finish; after that whoever still holds a connection loses it. */
async function closeGently(app: FastifyInstance, graceMs: number): Promise<void> {
  const closed = app.close()
  // Node closes the idle connections once; those that become idle later would keep it waiting.
  const sweep = setInterval(() => app.server.closeIdleConnections(), 50)
  const isClosed = await settlesWithin(closed, graceMs)
  clearInterval(sweep)
  if (isClosed) return
  app.server.closeAllConnections()
  await settlesWithin(closed, 1_000)
}

function giveWay(): void {
  if (isStopping) throw new Stopped()
}

async function stop(starting: Promise<void>, log: FastifyBaseLogger): Promise<void> {
  isStopping = true
  log.info('stopping')
  // A start under way notices at its next step; what it has opened by then is closed with the rest.
  await starting.catch(() => {})
  await opened.closeAll(error => log.error({ err: error }, 'a part of the service did not close'))
  log.info('stopped')
}

async function fail(error: unknown, config: Config | null): Promise<void> {
  for (const line of explainStartError(error, config)) process.stderr.write(`${line}\n`)
  await settlesWithin(
    opened.closeAll(() => {}),
    CLOSE_LIMIT_MS,
  )
  process.exit(1)
}
