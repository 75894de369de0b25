import type { Clock } from '../shared/clock.ts'

/** One session's last activity, to be written. */
export interface Activity {
  tenantId: string
  sessionId: string
  at: Date
  /** Null: the session does not end by being idle. */
  idleTtlSeconds: number | null
}

/**
 * When sessions were last active, collected in memory by verify and written in batches, at most once
 * a minute a session. Never on the path of a verify.
 */
export interface Activities {
  /** @param knownMs what the database is known to hold at least: when the token was issued. */
  note(session: Pick<Activity, 'tenantId' | 'sessionId' | 'idleTtlSeconds'>, knownMs: number): void
  /** Writes what is due; `all` also what was written less than a minute ago. */
  flush(options?: { all: boolean }): Promise<void>
}

const MIN_INTERVAL_MS = 60_000
const MAX_SESSIONS = 200_000
const BATCH_SIZE = 1_000

interface Use {
  tenantId: string
  idleTtlSeconds: number | null
  usedAtMs: number
  writtenAtMs: number
}

export function createActivities(
  write: (activities: Activity[], now: Date) => Promise<void>,
  clock: Clock,
): Activities {
  const uses = new Map<string, Use>()

  /** Ids in order: two nodes that write the same sessions never wait for each other in a circle. */
  const due = (nowMs: number, isAll: boolean) =>
    [...uses]
      .filter(
        ([, use]) =>
          use.usedAtMs > use.writtenAtMs &&
          (isAll || use.usedAtMs - use.writtenAtMs >= intervalOf(use) || isLast(use, nowMs)),
      )
      .sort(([a], [b]) => (a < b ? -1 : 1))

  return {
    note({ tenantId, sessionId, idleTtlSeconds }, knownMs) {
      const usedAtMs = clock.nowMs()
      const use = uses.get(sessionId)
      if (use !== undefined) {
        use.usedAtMs = usedAtMs
        use.idleTtlSeconds = idleTtlSeconds
      } else if (uses.size < MAX_SESSIONS) {
        uses.set(sessionId, { tenantId, idleTtlSeconds, usedAtMs, writtenAtMs: knownMs })
      }
    },
    async flush({ all } = { all: false }) {
      const nowMs = clock.nowMs()
      const waiting = due(nowMs, all)
      for (let from = 0; from < waiting.length; from += BATCH_SIZE) {
        const batch = waiting.slice(from, from + BATCH_SIZE)
        await write(
          batch.map(([sessionId, { tenantId, usedAtMs, idleTtlSeconds }]) => ({
            tenantId,
            sessionId,
            at: new Date(usedAtMs),
            idleTtlSeconds,
          })),
          new Date(clock.nowMs()),
        )
        for (const [, use] of batch) use.writtenAtMs = Math.max(use.writtenAtMs, nowMs)
      }
      for (const [id, use] of uses) if (nowMs - use.usedAtMs > 2 * MIN_INTERVAL_MS) uses.delete(id)
    },
  }
}

/** Where a session soon ends by being idle, often enough that it does not while it is used. */
const intervalOf = ({ idleTtlSeconds }: Use): number =>
  idleTtlSeconds === null ? MIN_INTERVAL_MS : Math.min(MIN_INTERVAL_MS, idleTtlSeconds * 250)

/** No use since for as long: what is known is what there is to write. */
const isLast = (use: Use, nowMs: number): boolean => nowMs - use.usedAtMs >= intervalOf(use)
