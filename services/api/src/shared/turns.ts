/**
 * Work of one name takes turns. For work that would wait for a lock in Postgres anyway: waiting here
 * costs no connection, and a pool full of those who wait would stop everybody else.
 */
export interface Turns {
  take<T>(name: string, work: () => Promise<T>): Promise<T>
}

export function createTurns(): Turns {
  const lastOf = new Map<string, Promise<void>>()
  return {
    async take(name, work) {
      const before = lastOf.get(name)
      const { promise: over, resolve } = Promise.withResolvers<void>()
      lastOf.set(name, over)
      await before
      try {
        return await work()
      } finally {
        if (lastOf.get(name) === over) lastOf.delete(name)
        resolve()
      }
    },
  }
}
