import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { EmbeddedPostgresError } from './errors.ts'
import type { PostgresBinaries } from './postgres-binaries.ts'
import type { Launch } from './postgres-user.ts'
import { errorCode } from './processes.ts'

/** The role that the service connects as, which owns the database of the same name. */
export const ROLE = 'sesame'

const MAJOR_VERSION = '18'
const STAGING_PREFIX = 'postgres-unfinished-'

// The superuser has no password, so nobody is it; everybody else needs one and comes by loopback.
const HOST_BASED_AUTHENTICATION = 'host all all 127.0.0.1/32 scram-sha-256\n'

interface ClusterOptions {
  dataDir: string
  binaries: PostgresBinaries
  launch: Launch
}

/** Where the cluster of a data folder lives. */
export function clusterDirOf(dataDir: string): string {
  return join(dataDir, 'postgres')
}

/** Makes the data folder when it is missing. Its secrets are files with 0600. */
export function createDataFolder(dataDir: string): void {
  if (existsSync(dataDir)) return
  // Only where it must be: in some places (/proc) a recursive mkdir never ends.
  mkdirSync(dataDir, { recursive: !existsSync(dirname(dataDir)) })
  // Root's Postgres runs as somebody else and must pass through to its own folder.
  chmodSync(dataDir, process.getuid?.() === 0 ? 0o711 : 0o700)
}

/**
 * Makes the cluster on a first start; answers with the password of the role. It is prepared in a
 * folder aside and renamed into place as a whole, so what stands there is always complete, and a
 * start that was killed half-way is simply done again.
 */
export async function ensureCluster(options: ClusterOptions): Promise<string> {
  const { dataDir } = options
  const clusterDir = clusterDirOf(dataDir)
  removeUnfinished(dataDir)
  const password = ensurePassword(dataDir, existsSync(clusterDir))
  if (isEmpty(clusterDir)) {
    const stagingDir = join(dataDir, STAGING_PREFIX + randomBytes(4).toString('hex'))
    await prepareCluster(stagingDir, password, options)
    renameSync(stagingDir, clusterDir)
    syncToDisk(dataDir)
  }
  rejectOtherVersion(clusterDir)
  return password
}

function isEmpty(dir: string): boolean {
  return !existsSync(dir) || readdirSync(dir).length === 0
}

/** Never the cluster itself: only folders that bear the staging name. */
function removeUnfinished(dataDir: string): void {
  for (const name of readdirSync(dataDir)) {
    if (!name.startsWith(STAGING_PREFIX)) continue
    try {
      rmSync(join(dataDir, name), { recursive: true, force: true, maxRetries: 3 })
    } catch (error) {
      // An initdb that outlived its killed parent still writes there: the next start removes it.
      if (errorCode(error) !== 'ENOTEMPTY') throw error
    }
  }
}

function ensurePassword(dataDir: string, hasCluster: boolean): string {
  const path = join(dataDir, 'postgres-password')
  if (existsSync(path)) return readFileSync(path, 'utf8').trim()
  if (hasCluster && !isEmpty(clusterDirOf(dataDir))) {
    throw new EmbeddedPostgresError(`${path} is missing: put back the file from your backup`)
  }
  const password = randomBytes(32).toString('base64url')
  writeDurably(path, `${password}\n`)
  syncToDisk(dataDir)
  return password
}

function rejectOtherVersion(clusterDir: string): void {
  const path = join(clusterDir, 'PG_VERSION')
  const version = existsSync(path) ? readFileSync(path, 'utf8').trim() : null
  if (version === MAJOR_VERSION) return
  throw new EmbeddedPostgresError(
    version === null
      ? `${clusterDir} holds files that are not a Postgres database: move them elsewhere`
      : `${clusterDir} was made by Postgres ${version}, this is ${MAJOR_VERSION}: dump and restore it`,
  )
}

async function prepareCluster(dir: string, password: string, options: ClusterOptions) {
  const { binaries, launch } = options
  mkdirSync(dir, { mode: 0o700 })
  giveTo(launch, dir)
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin']
  const initdbArgs = ['-D', dir, '-U', 'postgres', '--auth=reject', '--builtin-locale=C.UTF-8']
  await run(launch, binaries.initdb, [...initdbArgs, ...locale])
  const hbaPath = join(dir, 'pg_hba.conf')
  rmSync(hbaPath)
  writeDurably(hbaPath, HOST_BASED_AUTHENTICATION)
  giveTo(launch, hbaPath)
  // Single-user mode reads a statement a line, before any port is open.
  const singleUserArgs = ['--single', '-D', dir, '-c', 'log_checkpoints=off', 'postgres']
  await run(launch, binaries.postgres, singleUserArgs, roleStatements(password))
}

function roleStatements(password: string): string {
  return [
    `CREATE ROLE ${ROLE} LOGIN CREATEDB PASSWORD '${password}'`,
    `GRANT pg_monitor, pg_checkpoint, pg_signal_backend TO ${ROLE}`,
    `CREATE DATABASE ${ROLE} OWNER ${ROLE}`,
    '',
  ].join('\n')
}

/** Runs one program to its end; its last line of complaint becomes the error. */
async function run(launch: Launch, program: string, args: string[], input = ''): Promise<void> {
  const [command = program, ...rest] = [...launch.prefix, program, ...args]
  // Its own process group: Ctrl-C is ours to handle.
  const child = spawn(command, rest, { ...launch.spawnOptions, detached: true })
  child.stdout.resume()
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const [stderr, status] = await Promise.all([text(child.stderr), exitStatus(child)])
  const complaint = stderr.split('\n').findLast(line => /FATAL|ERROR|error:/.test(line))
  if (status === '0' && complaint === undefined) return
  const reason = complaint ?? stderr.trim().split('\n').at(-1) ?? ''
  throw new EmbeddedPostgresError(
    `the database could not be made (exit status ${status}): ${reason}`,
  )
}

async function exitStatus(child: ChildProcess): Promise<string> {
  const [code, signalName] = await once(child, 'exit')
  return String(code ?? signalName)
}

function giveTo({ user }: Launch, path: string): void {
  if (user !== null) chownSync(path, user.uid, user.gid)
}

function writeDurably(path: string, content: string): void {
  const temporary = `${path}.${randomBytes(4).toString('hex')}`
  const file = openSync(temporary, 'wx', 0o600)
  writeSync(file, content)
  fsyncSync(file)
  closeSync(file)
  renameSync(temporary, path)
}

function syncToDisk(dir: string): void {
  const handle = openSync(dir, 'r')
  fsyncSync(handle)
  closeSync(handle)
}
