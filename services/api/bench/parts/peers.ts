import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startRedis } from '../../test/redis-fixture.ts'
import { compare, measure } from '../compare.ts'
import type { Figure, Form, Part } from '../figures.ts'
import type { Call } from '../load.ts'
import { type ServerProcess, startServer } from '../server-process.ts'
import { type SignIn, signIn } from '../sign-ins.ts'
import type { World } from '../world.ts'
import { verifyCall } from './verify.ts'

const SIGN_INS = 10_000
const WARM_UP_REQUESTS = 3_000
const OUR_WARM_UP_REQUESTS = 20_000
/** Of one run: each is used once, and they last for the nine pairs of the full form. */
const REFRESHES = 1_000

/** What a peer gave the bench: one sign-in, as its clients would hold it. */
interface PeerSignIn {
  userId: string
  cookie: string
  accessToken: string
  refreshToken: string
}

interface Peer {
  server: ServerProcess
  signIns: PeerSignIn[]
}

/** Sesame's verify, list and refresh beside those of what a user would otherwise pick. */
export const peersPart: Part = {
  name: 'peers',
  isQuick: false,
  async run(world, form) {
    installPeers()
    const dir = mkdtempSync(join(tmpdir(), 'sesame-peers-'))
    const redis = await startRedis()
    try {
      const redisUrl = `redis://127.0.0.1:${(await redis.connect()).options.port}`
      const start = (script: string) => startPeer(world, dir, redisUrl, script)
      return [
        ...(await besideBetterAuth(world, form, start)),
        ...(await besideOidcProvider(world, form, start)),
        ...(await besideExpressSession(world, form, start)),
      ]
    } finally {
      await redis.close()
      rmSync(dir, { recursive: true, force: true })
    }
  },
}

type StartPeer = (script: string) => Promise<Peer>

async function besideBetterAuth(world: World, form: Form, start: StartPeer): Promise<Figure[]> {
  const { server, signIns } = await start('better-auth.js')
  try {
    const ours = await signIn(world, SIGN_INS, 600_000)
    return [
      await pair(world, form, server, {
        part: 'verify beside better-auth',
        baseline: 'better-auth 1.7.6 get-session on Postgres',
        most: 1 / 20,
        ours: ours.map(each => verifyCall(world, each.accessToken, each.sessionId)),
        theirs: signIns.map(each => cookieCall('/api/auth/get-session', each)),
      }),
      await pair(world, form, server, {
        part: "list of a user's sessions beside better-auth",
        baseline: 'better-auth 1.7.6 list-sessions on Postgres',
        most: null,
        ours: ours.map((_, n) => listCall(world, 600_000 + n)),
        theirs: signIns.map(each => cookieCall('/api/auth/list-sessions', each)),
      }),
    ]
  } finally {
    await server.stop()
  }
}

async function besideOidcProvider(world: World, form: Form, start: StartPeer): Promise<Figure[]> {
  const { server, signIns } = await start('oidc-provider.js')
  try {
    const ours = await signIn(world, SIGN_INS, 700_000)
    return [
      await pair(world, form, server, {
        part: 'verify beside oidc-provider',
        baseline: 'oidc-provider 9.13.3 introspection, its tokens in memory',
        most: 1 / 2.5,
        ours: ours.map(each => verifyCall(world, each.accessToken, each.sessionId)),
        theirs: signIns.map(each => introspectCall(each)),
      }),
      await pair(world, form, server, {
        part: 'refresh beside oidc-provider',
        baseline: 'oidc-provider 9.13.3 refresh grant, its tokens in memory',
        most: null,
        once: REFRESHES,
        ours: ours.map(each => refreshCall(world, each)),
        theirs: signIns.map(each => refreshGrantCall(each)),
      }),
    ]
  } finally {
    await server.stop()
  }
}

async function besideExpressSession(world: World, form: Form, start: StartPeer): Promise<Figure[]> {
  const { server, signIns } = await start('express-session.js')
  try {
    const ours = await signIn(world, SIGN_INS, 800_000)
    return [
      await pair(world, form, server, {
        part: 'verify beside express-session',
        baseline: 'express-session 1.19 with connect-redis 10',
        most: 1 / 1.8,
        ours: ours.map(each => verifyCall(world, each.accessToken, each.sessionId)),
        theirs: signIns.map(each => cookieCall('/me', each)),
      }),
    ]
  } finally {
    await server.stop()
  }
}

interface PairOptions {
  part: string
  baseline: string
  most: number | null
  ours: Call[]
  theirs: Call[]
  /** Where a call can be made only once: how many of them a run takes. */
  once?: number
}

async function pair(
  world: World,
  form: Form,
  server: ServerProcess,
  { part, baseline, most, ours, theirs, once }: PairOptions,
): Promise<Figure> {
  const side = (node: ServerProcess, calls: Call[]) => {
    let taken = 0
    return async (asked: number) => {
      const requests = once ?? asked
      await world.loader.prepare(once === undefined ? calls : calls.slice(taken, taken + once))
      taken += requests
      return measure(world.loader, node, { requests, connections: 64, status: 200 })
    }
  }
  // A peer serves so few in the same time that a node which has just begun would still be compiling.
  if (once === undefined) await side(world.node, ours)(OUR_WARM_UP_REQUESTS)
  const comparison = await compare(side(world.node, ours), side(server, theirs), {
    ...form,
    warmUpRequests: once ?? WARM_UP_REQUESTS,
  })
  return { part, baseline, most, unit: 'ratio', value: comparison.cpuRatio, comparison }
}

const cookieCall = (path: string, { cookie, userId }: PeerSignIn): Call => ({
  method: 'GET',
  path,
  headers: { cookie },
  expects: userId,
})

const OIDC_CLIENT = `Basic ${Buffer.from('bench:bench-secret').toString('base64')}`

const formCall = (path: string, fields: Record<string, string>, expects: string): Call => ({
  method: 'POST',
  path,
  headers: { authorization: OIDC_CLIENT, 'content-type': 'application/x-www-form-urlencoded' },
  body: String(new URLSearchParams(fields)),
  expects,
})

const introspectCall = ({ accessToken, userId }: PeerSignIn): Call =>
  formCall('/token/introspection', { token: accessToken }, `"sub":"${userId}"`)

const refreshGrantCall = ({ refreshToken }: PeerSignIn): Call =>
  formCall('/token', { grant_type: 'refresh_token', refresh_token: refreshToken }, 'refresh_token')

const refreshCall = ({ headers }: World, { refreshToken, sessionId }: SignIn): Call => ({
  method: 'POST',
  path: '/v1/sessions/refresh',
  headers,
  body: JSON.stringify({ refresh_token: refreshToken }),
  expects: sessionId,
})

const listCall = ({ headers }: World, user: number): Call => ({
  method: 'GET',
  path: `/v1/sessions?user_id=usr_${user}`,
  headers,
  expects: `"user_id":"usr_${user}"`,
})

async function startPeer(
  world: World,
  dir: string,
  redisUrl: string,
  script: string,
): Promise<Peer> {
  const file = join(dir, `${script}.json`)
  const server = await startServer({
    script: `./peers/${script}`,
    args: [JSON.stringify({ count: SIGN_INS, file })],
    env: { DATABASE_URL: world.databaseUrl, REDIS_URL: redisUrl, NODE_ENV: 'production' },
    logFile: join(dir, 'peer.log'),
  })
  return { server, signIns: JSON.parse(readFileSync(file, 'utf8')) }
}

/** The peers are no dependency of Sesame: they are installed when they are measured. */
function installPeers(): void {
  const cwd = new URL('../peers', import.meta.url).pathname
  if (existsSync(join(cwd, 'node_modules', 'better-auth'))) return
  console.log('installing the peers …')
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--silent'], { cwd, stdio: 'inherit' })
}
