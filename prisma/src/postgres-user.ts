import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { EmbeddedPostgresError } from './errors.ts'

export interface PostgresUser {
  uid: number
  gid: number
}

/** How a program is started so that it runs as the right user and reaches its files. */
export interface Launch {
  /** Null when Postgres runs as the user that we are. */
  user: PostgresUser | null
  /** Put before the program and its arguments. */
  prefix: string[]
  spawnOptions: { cwd: string; env: NodeJS.ProcessEnv; uid?: number; gid?: number }
}

// Nothing of our environment reaches Postgres: neither PG* variables nor our secrets.
const ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C' }

/**
 * Postgres refuses to run as root. Started by root, it runs as the owner of the existing cluster,
 * else as `postgres`, else as a system user made for it, else as `nobody`.
 */
export function choosePostgresUser(clusterDir: string): PostgresUser | null {
  if (process.getuid?.() !== 0) return null
  return (
    ownerOf(clusterDir) ?? findUser('postgres') ?? findUser('sesame') ?? createUser() ?? nobody()
  )
}

/**
 * Plans how to start programs as that user. A clone in root's home, which nobody else may enter, is
 * out of the user's reach; there the programs get the one capability that overrides folder
 * permissions instead of us opening folders that are not ours.
 */
export function planLaunch(user: PostgresUser | null, paths: string[]): Launch {
  const spawnOptions = { cwd: '/', env: ENVIRONMENT }
  if (user === null) return { user, prefix: [], spawnOptions }
  const blocked = paths.find(path => !isReachable(path, user))
  if (blocked === undefined) return { user, prefix: [], spawnOptions: { ...spawnOptions, ...user } }
  const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find(path => existsSync(path))
  if (setpriv === undefined) {
    throw new EmbeddedPostgresError(
      `Postgres does not run as root, and user id ${user.uid} cannot enter ${blocked}: ` +
        'start Sesame as a normal user, or set SESAME_DATA_DIR or DATABASE_URL',
    )
  }
  const identity = [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups']
  const sets = ['inh-caps', 'ambient-caps', 'bounding-set']
  const capabilities = sets.map(set => `--${set}=-all,+dac_override`)
  // access(2), by which initdb looks for its other programs, ignores capabilities without this bit.
  const securebits = '--securebits=+no_setuid_fixup'
  return { user, prefix: [setpriv, ...identity, ...capabilities, securebits], spawnOptions }
}

function ownerOf(path: string): PostgresUser | null {
  if (!existsSync(path)) return null
  const { uid, gid } = statSync(path)
  return uid === 0 ? null : { uid, gid }
}

function findUser(name: string): PostgresUser | null {
  if (!existsSync('/etc/passwd')) return null
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  const fields = lines.find(line => line.startsWith(`${name}:`))?.split(':')
  const [uid, gid] = [Number(fields?.[2]), Number(fields?.[3])]
  return uid > 0 && gid >= 0 ? { uid, gid } : null
}

function createUser(): PostgresUser | null {
  const flags = ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin']
  spawnSync('useradd', [...flags, 'sesame'], { env: ENVIRONMENT, stdio: 'ignore' })
  // Looked up even when useradd failed: another start may have made the user at the same moment.
  return findUser('sesame')
}

function nobody(): PostgresUser {
  const user = findUser('nobody')
  if (user !== null) return user
  throw new EmbeddedPostgresError(
    'Postgres does not run as root: start Sesame as a normal user, or set DATABASE_URL',
  )
}

function isReachable(path: string, user: PostgresUser): boolean {
  const { mode, uid, gid } = statSync(path)
  const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0
  const mayEnter = ((mode >> shift) & 0o1) === 0o1
  return mayEnter && (path === dirname(path) || isReachable(dirname(path), user))
}
