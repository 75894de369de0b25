import type { Cluster } from './cluster.ts'
import type { FaultsOptions, Lane } from './faults.ts'
import type { Random } from './random.ts'
import { rest } from './rest.ts'

const PAUSE_MS = 3_000
/** Longer than a statement may take, twice: whoever waits for an answer has given up, and again. */
const LONG_PAUSE_MS = 13_000
// Still answers in time, for the most part.
const SLOWEST_MS = 200

/** What strikes the database, which all nodes share. */
export function postgresFaults({ cluster, random, signal }: FaultsOptions): Lane {
  const { lines, postgres } = cluster
  const shared = (work: () => Promise<unknown>) => async () => {
    await work()
    return null
  }
  return [
    ['postgres connections cut', shared(() => cutConnections(cluster, random.pick(ANY)))],
    // Every node drops all that it knew, and loads it anew under load; once more while it does.
    [
      'freshness connections cut',
      shared(async () => {
        for (let times = random.between(1, 3); times > 0; times--) {
          await cutConnections(cluster, "application_name = 'sesame-freshness'")
          await rest(random.between(5, 100), signal)
        }
      }),
    ],
    [
      'postgres slow',
      shared(async () => {
        for (const line of lines) line.delayMs = random.between(0, SLOWEST_MS)
        await rest(random.between(1_000, 3_000), signal)
        for (const line of lines) line.delayMs = 0
      }),
    ],
    // Committed, and nobody is told: the answers are on their way when the connections end.
    [
      'answers lost',
      shared(async () => {
        for (const line of lines) line.delayMs = SLOWEST_MS
        await rest(random.between(100, 400), signal)
        if (random.chance(0.3)) await postgres.killAndWait()
        for (const line of lines) line.cut()
        for (const line of lines) line.delayMs = 0
      }),
    ],
    ['locks held', shared(() => holdLocks(cluster, random, signal))],
    [
      'postgres paused',
      shared(async () => {
        postgres.pause()
        await rest(PAUSE_MS, signal)
        postgres.resume()
      }),
    ],
    ['postgres killed', shared(() => postgres.killAndWait())],
  ]
}

export function longFaults({ cluster, random, signal }: FaultsOptions): Lane {
  const { nodes, lines, postgres } = cluster
  return [
    [
      'postgres paused for long',
      async () => {
        postgres.pause()
        await rest(LONG_PAUSE_MS, signal)
        postgres.resume()
        return null
      },
    ],
    // In the middle of transactions, which wait for the lock: they go on, and their node never hears.
    [
      'node cut off for long',
      async () => {
        const { index } = random.pick(nodes)
        await postgres.whileHolding(LOCK_OF_REVOKES, async () => {
          await rest(500, signal)
          lines[index]?.stall()
        })
        await rest(LONG_PAUSE_MS, signal)
        lines[index]?.resume()
        return index
      },
    ],
  ]
}

const ANY = ['true', 'random() < 0.5'] as const

/** Closes connections of the nodes in the middle of their work. */
async function cutConnections({ postgres }: Cluster, condition: string): Promise<void> {
  await postgres.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE usename = current_user AND pid <> pg_backend_pid() AND ${condition}`,
  )
}

/** The next number of every change log. */
const LOCK_OF_REVOKES = 'SELECT FROM tenant_heads FOR UPDATE'

/**
 * Each stops revokes at another place of their way: a bulk revoke between its barrier and its count,
 * or between the count and the row that ends the sessions; the rows that have to follow; the next
 * number of a change log.
 */
const LOCKS = [
  'LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE',
  'LOCK TABLE tenant_changes IN EXCLUSIVE MODE',
  `SELECT FROM sessions WHERE state = 'active' ORDER BY id DESC LIMIT 300 FOR UPDATE`,
  LOCK_OF_REVOKES,
] as const

/** And as often as not, whoever waits there loses the connection. */
async function holdLocks(cluster: Cluster, random: Random, signal: AbortSignal): Promise<void> {
  const isStruck = random.chance(0.5)
  await cluster.postgres.whileHolding(random.pick(LOCKS), async () => {
    await rest(random.between(200, 800), signal)
    if (isStruck) await cutConnections(cluster, "wait_event_type = 'Lock' AND random() < 0.7")
    await rest(random.between(0, 300), signal)
  })
}
