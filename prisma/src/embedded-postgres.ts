import { createServer } from 'node:net'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { clusterDirOf, createDataFolder, ensureCluster, ROLE } from './cluster.ts'
import { EmbeddedPostgresError } from './errors.ts'
import { lockFolder } from './folder-lock.ts'
import { findPostgresBinaries } from './postgres-binaries.ts'
import { choosePostgresUser, planLaunch } from './postgres-user.ts'
import { type Postmaster, type PostmasterOptions, startPostmaster } from './postmaster.ts'
import { errorCode } from './processes.ts'

export interface EmbeddedPostgresOptions {
  dataDir: string
  /** Receives each line of the server's log. */
  onLog?: (line: string) => void
  /** Server settings on top of ours, as a test may want them. */
  settings?: Record<string, string>
}

export interface EmbeddedPostgres {
  /** The connection string, with a password that no one else knows. */
  url: string
  /** The server's process id now; another one after a crash. */
  readonly pid: number
  /** Shuts down cleanly, in at most seven seconds, and frees the data folder. */
  stop(): Promise<void>
}

// Everything acknowledged is on disk; the rest is for a small machine shared with others.
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  // The first write to a page after a checkpoint logs all of it.
  wal_compression: 'on',
  max_connections: '100',
  shared_buffers: '128MB',
  huge_pages: 'off',
  jit: 'off',
  // A statement of a client that was killed ends too, and with it its locks.
  client_connection_check_interval: '2s',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_checkpoints: 'off',
  // Failed statements reach the service as errors. In the server's log they would only put rows and
  // statements where they do not belong.
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
}

const STOP_TIMEOUT_MS = 5_000
const START_ATTEMPTS = 20

/**
 * Starts Postgres 18 on `<dataDir>/postgres`, making it on the first start. Recovers by itself from
 * any kill -9, be it of us, of the server, or of both.
 *
 * @throws DataFolderInUseError when a live process owns the folder
 * @throws EmbeddedPostgresError when Postgres cannot run here
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const dataDir = resolve(options.dataDir)
  return explainFailures(dataDir, async () => {
    createDataFolder(dataDir)
    const unlock = await lockFolder(dataDir)
    try {
      return await startOwned(dataDir, options, unlock)
    } catch (error) {
      unlock()
      throw error
    }
  })
}

async function startOwned(
  dataDir: string,
  { onLog = () => {}, settings = {} }: EmbeddedPostgresOptions,
  unlock: () => void,
): Promise<EmbeddedPostgres> {
  const binaries = findPostgresBinaries()
  const clusterDir = clusterDirOf(dataDir)
  const launch = planLaunch(choosePostgresUser(clusterDir), [dataDir, binaries.rootDir])
  const password = await ensureCluster({ dataDir, binaries, launch })
  const program = binaries.postgres
  const plan = { launch, program, clusterDir, onLog, settings: { ...SETTINGS, ...settings } }
  const { postmaster, port } = await startOnFreePort(plan)
  const server = keepRunning(postmaster, () => startPatiently(withPort(plan, port)), onLog)
  return {
    url: `postgresql://${ROLE}:${password}@127.0.0.1:${port}/${ROLE}`,
    get pid() {
      return server.pid()
    },
    stop: () => server.stop().finally(unlock),
  }
}

async function startOnFreePort(plan: PostmasterOptions) {
  for (let attempt = 1; ; attempt++) {
    const port = await findFreePort()
    try {
      return { postmaster: await startPatiently(withPort(plan, port)), port }
    } catch (error) {
      // Somebody took the port between our look and the server's bind.
      if (attempt === 3 || !/TCP\/IP socket/.test(String(error))) throw error
    }
  }
}

/** A backend that outlived its killed postmaster ends within moments; until then it is in the way. */
async function startPatiently(plan: PostmasterOptions): Promise<Postmaster> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startPostmaster(plan)
    } catch (error) {
      const isInTheWay = /pre-existing shared memory block/.test(String(error))
      if (attempt === START_ATTEMPTS || !isInTheWay) throw error
      await sleep(250)
    }
  }
}

/** Starts the server again, on the same port, when it ends though nobody stopped it. */
function keepRunning(
  first: Postmaster,
  startAgain: () => Promise<Postmaster>,
  onLog: (line: string) => void,
) {
  let postmaster = first
  let isStopping = false
  const supervise = async () => {
    while (!isStopping) {
      await postmaster.exited
      if (!isStopping) postmaster = await startAgain()
    }
  }
  const supervised = supervise().catch(error => onLog(`FATAL:  ${error.message}`))
  const stop = async () => {
    isStopping = true
    await postmaster.stop(STOP_TIMEOUT_MS)
    await supervised
    // A restart may have been under way.
    await postmaster.stop(STOP_TIMEOUT_MS)
  }
  return { pid: () => postmaster.pid, stop }
}

function withPort(plan: PostmasterOptions, port: number): PostmasterOptions {
  return { ...plan, settings: { ...plan.settings, port: String(port) } }
}

async function findFreePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((listening, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', listening)
  })
  const address = server.address()
  await new Promise(closed => server.close(closed))
  if (address === null || typeof address === 'string') throw new Error('no address to listen on')
  return address.port
}

async function explainFailures<T>(dataDir: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof EmbeddedPostgresError || errorCode(error) === '') throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new EmbeddedPostgresError(`the data folder ${dataDir} cannot be used: ${reason}`)
  }
}
