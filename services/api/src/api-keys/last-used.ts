import type { Clock } from '../shared/clock.ts'

/**
 * When each key was last used, collected in memory and written in batches, off the request path: a
 * key's first use within seconds, then at most once a minute.
 */
export interface LastUsed {
  note(tenantId: string, apiKeyId: string): void
  /** Writes what is due; `all` also what was written less than a minute ago. */
  flush(options?: { all: boolean }): Promise<void>
}

const MIN_INTERVAL_MS = 60_000
const MAX_KEYS = 100_000

interface Use {
  tenantId: string
  usedAtMs: number
  /** When it was last written. */
  writtenAtMs: number
}

export function createLastUsed(
  write: (uses: { tenantId: string; id: string; at: Date }[]) => Promise<void>,
  clock: Clock,
): LastUsed {
  const uses = new Map<string, Use>()
  return {
    note(tenantId, apiKeyId) {
      const use = uses.get(apiKeyId)
      if (use !== undefined) use.usedAtMs = clock.nowMs()
      else if (uses.size < MAX_KEYS)
        uses.set(apiKeyId, { tenantId, usedAtMs: clock.nowMs(), writtenAtMs: -Infinity })
    },
    async flush({ all } = { all: false }) {
      const nowMs = clock.nowMs()
      const due = [...uses].filter(
        ([, use]) =>
          use.usedAtMs > use.writtenAtMs && (all || nowMs - use.writtenAtMs >= MIN_INTERVAL_MS),
      )
      for (const [id, use] of uses) if (nowMs - use.usedAtMs > 2 * MIN_INTERVAL_MS) uses.delete(id)
      if (due.length === 0) return
      await write(
        due.map(([id, use]) => ({ tenantId: use.tenantId, id, at: new Date(use.usedAtMs) })),
      )
      for (const [, use] of due) use.writtenAtMs = nowMs
    },
  }
}
