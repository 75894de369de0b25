import { setTimeout as sleep } from 'node:timers/promises'
import type { Figure, Part } from '../figures.ts'
import { countRoundTrips, type RoundTrips } from '../round-trips.ts'
import { type SignIn, signIn, signInBody } from '../sign-ins.ts'
import { walBytesSince, walPosition } from '../wal.ts'
import type { World } from '../world.ts'

const WARM_UP = 50
const REQUESTS = 200

/** What Postgres does for a request: figures without noise, on a node that gets one at a time. */
export const dataPathPart: Part = {
  name: 'data-path',
  isQuick: true,
  async run(world) {
    const line = await countRoundTrips(world.databaseUrl)
    const node = await world.startNode({ DATABASE_URL: line.url })
    try {
      // One more: a pause of the statistics ends with a request.
      const signIns = await signIn(world, WARM_UP + REQUESTS + 1)
      // Plans must not hang on whether autovacuum came by.
      await world.pool.query('ANALYZE sessions')
      const sendAll = async ({ callOf }: Kind, some: SignIn[]): Promise<void> => {
        for (const each of some) {
          const { method, path, body } = callOf(each)
          await world.call(method, path, body, node.url)
        }
      }
      for (const kind of KINDS) await sendAll(kind, signIns.slice(0, WARM_UP))
      const figures: Figure[] = []
      let before: Buffers | null = null
      for (const kind of KINDS) {
        const fresh = signIns.slice(WARM_UP)
        before ??= await buffersAfter(world, () => sendAll(GET, fresh.slice(0, 1)))
        const counts = await countWhile(world, line, () => sendAll(kind, fresh.slice(1)))
        const after = await buffersAfter(world, () => sendAll(kind, fresh.slice(0, 1)))
        const buffers = touchedBetween(before, after) / (REQUESTS + 1)
        before = after
        figures.push(...toFigures(kind.name, { ...counts, buffers }))
      }
      return figures
    } finally {
      await node.stop()
      await line.close()
    }
  },
}

interface Kind {
  name: string
  callOf(signIn: SignIn): { method: string; path: string; body?: object }
}

const GET: Kind = {
  name: 'get',
  callOf: ({ sessionId }) => ({ method: 'GET', path: `/v1/sessions/${sessionId}` }),
}

const KINDS: Kind[] = [
  { name: 'create', callOf: () => ({ method: 'POST', path: '/v1/sessions', body: signInBody(0) }) },
  {
    name: 'refresh',
    callOf: ({ refreshToken }) => ({
      method: 'POST',
      path: '/v1/sessions/refresh',
      body: { refresh_token: refreshToken },
    }),
  },
  GET,
  { name: 'list of 20', callOf: () => ({ method: 'GET', path: '/v1/sessions' }) },
  {
    name: 'verify',
    callOf: ({ accessToken }) => ({
      method: 'POST',
      path: '/v1/sessions/verify',
      body: { token: accessToken },
    }),
  },
]

/** Of one request, on average. */
interface DataPath {
  roundTrips: number
  walBytes: number
  buffers: number
}

/** By the process of the connection. */
type Buffers = Map<number, number>

async function countWhile(
  { pool }: World,
  line: RoundTrips,
  sendRequests: () => Promise<void>,
): Promise<Omit<DataPath, 'buffers'>> {
  const position = await walPosition(pool)
  const before = roundTripsOf(line)
  await sendRequests()
  const roundTrips = roundTripsOf(line) - before
  const walBytes = await walBytesSince(pool, position)
  return { roundTrips: roundTrips / REQUESTS, walBytes: walBytes / REQUESTS }
}

/** Of both pools of a node. */
const roundTripsOf = (line: RoundTrips): number =>
  line.count('sesame') + line.count('sesame-freshness')

/** A connection tells what it has touched with the end of a statement, once a second at most. */
const STATISTICS_PAUSE_MS = 1_100

/**
 * Of each connection of a node, by its process: what autovacuum touches meanwhile is no part of a
 * request, and a connection that is closed for its idleness takes its figures with it.
 */
async function buffersAfter({ pool }: World, sendOne: () => Promise<void>): Promise<Buffers> {
  await sleep(STATISTICS_PAUSE_MS)
  await sendOne()
  const { rows } = await pool.query<{ pid: number; buffers: number }>(
    `SELECT activity.pid, sum(io.hits + io.reads)::float8 AS buffers
     FROM pg_stat_activity AS activity, pg_stat_get_backend_io(activity.pid) AS io
     WHERE activity.application_name IN ('sesame', 'sesame-freshness') AND io.object = 'relation'
     GROUP BY activity.pid`,
  )
  return new Map(rows.map(({ pid, buffers }) => [pid, buffers]))
}

const touchedBetween = (before: Buffers, after: Buffers): number =>
  [...after].reduce((total, [pid, buffers]) => total + buffers - (before.get(pid) ?? 0), 0)

function toFigures(name: string, { roundTrips, walBytes, buffers }: DataPath): Figure[] {
  const figureOf = (what: string, value: number, unit: Figure['unit']): Figure => ({
    part: `${name}: ${what} of a request`,
    baseline: 'Postgres',
    value: { median: value, min: value, max: value },
    unit,
    most: null,
  })
  return [
    figureOf('round trips', roundTrips, 'round trips'),
    figureOf('WAL', walBytes, 'bytes'),
    figureOf('buffers', buffers, 'buffers'),
  ]
}
