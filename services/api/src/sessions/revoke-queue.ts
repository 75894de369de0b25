import type { Revocation, SessionStore } from './sessions.store.ts'

/**
 * Revokes that arrive together are committed together. Each needs the next numbers of its tenant's
 * change log, which nobody else gets before the commit: one by one, a burst of them would wait a
 * disk write each. While one statement is under way, those who come gather for the next.
 */
export interface RevokeQueue {
  /** False when the session was not active. */
  revoke(tenantId: string, revocation: Revocation): Promise<boolean>
}

interface Waiter {
  revocation: Revocation
  resolve(wasActive: boolean): void
  reject(error: unknown): void
}

const MAX_BATCH = 500

export function createRevokeQueue({ revoke }: Pick<SessionStore, 'revoke'>): RevokeQueue {
  const waitingOf = new Map<string, Waiter[]>()

  const drain = async (tenantId: string, waiting: Waiter[]): Promise<void> => {
    while (waiting.length > 0) await settle(tenantId, waiting.splice(0, MAX_BATCH))
    waitingOf.delete(tenantId)
  }

  const settle = async (tenantId: string, batch: Waiter[]): Promise<void> => {
    // Of several who end the same session at once, the first is told that it did.
    const first = new Map<string, Waiter>()
    for (const waiter of batch) {
      const { sessionId } = waiter.revocation
      if (!first.has(sessionId)) first.set(sessionId, waiter)
    }
    try {
      const ended = await revoke(
        tenantId,
        [...first.values()].map(({ revocation }) => revocation),
      )
      for (const waiter of batch) {
        const { sessionId } = waiter.revocation
        waiter.resolve(first.get(sessionId) === waiter && ended.has(sessionId))
      }
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }

  return {
    revoke: (tenantId, revocation) =>
      new Promise((resolve, reject) => {
        const waiter = { revocation, resolve, reject }
        const waiting = waitingOf.get(tenantId)
        if (waiting !== undefined) {
          waiting.push(waiter)
          return
        }
        const fresh = [waiter]
        waitingOf.set(tenantId, fresh)
        void drain(tenantId, fresh)
      }),
  }
}
