import { migrate, openDatabase } from '@sesame/db'
import type { FastifyBaseLogger } from 'fastify'
import { createLogDestination, createLogger } from './http/logging.ts'
import { createMetrics } from './http/metrics.ts'
import { type Config, loadConfig } from './shared/config.ts'
import { explainStartError, say } from './start/console.ts'
import { createDatabaseClock } from './start/database-clock.ts'
import { serveMetrics } from './start/metrics-port.ts'
import { createOpened, settlesWithin, stopOnSignal } from './start/shutdown.ts'
import { StartError } from './start/start-error.ts'
import { createWorkerServices } from './wiring.ts'

// What a stop may take: the batch under way, connections.
const CLOSE_LIMIT_MS = 8_000

const opened = createOpened()

await main()

/** The housekeeping of the service in a process of its own: no requests, no secrets. */
async function main(): Promise<void> {
  let config: Config | null = null
  try {
    // biome-ignore lint/style/noProcessEnv: the one place that hands it on
    config = loadConfig(process.env)
    const log = createLogger({ level: config.logLevel, destination: createLogDestination() })
    const starting = start(config, log)
    stopOnSignal({ stop: () => stop(starting, log), limitMs: CLOSE_LIMIT_MS })
    await starting
  } catch (error) {
    await fail(error, config)
  }
}

async function start(config: Config, log: FastifyBaseLogger): Promise<void> {
  process.on('uncaughtException', error => log.fatal({ err: error }, 'an error that nobody caught'))
  const { databaseUrl, databasePoolSize } = config
  if (databaseUrl === null)
    throw new StartError(
      'the worker needs DATABASE_URL: with the embedded database it runs inside the service',
    )
  await migrate({ databaseUrl })
  const database = openDatabase({
    databaseUrl,
    poolSize: databasePoolSize,
    onConnectionError: error => log.warn({ err: error }, 'a database connection broke'),
  })
  opened.add(() => database.close())
  const clock = await createDatabaseClock(database.pool, err =>
    log.warn({ err }, 'the clock of Postgres could not be read'),
  )
  opened.add(async () => clock.stop())
  const { worker } = createWorkerServices({ database, clock, log })
  worker.start({ sweeps: true })
  opened.add(() => worker.stop())
  await serveMetrics(config, createMetrics({ main: database.pool }), opened, log)
  stayAlive()
  say('The Sesame worker is ready')
}

/** The worker's own timers keep no process alive, so that they never hold up a stop. */
function stayAlive(): void {
  const timer = setInterval(() => {}, 60_000)
  opened.add(async () => clearInterval(timer))
}

async function stop(starting: Promise<void>, log: FastifyBaseLogger): Promise<void> {
  log.info('stopping')
  await starting.catch(() => {})
  await opened.closeAll(error => log.error({ err: error }, 'a part of the worker did not close'))
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
