/** Lets a few through at a time. The others wait: in turn by tenant, and in order within a tenant. */
export interface Gate {
  run<T>(tenantId: string, work: () => Promise<T>): Promise<T>
}

export function createGate(width: number): Gate {
  /** A tenant that was served goes to the end, so that none waits for the length of another's queue. */
  const waiting = new Map<string, (() => void)[]>()
  let inside = 0

  const admitNext = (): void => {
    const [first] = waiting
    if (first === undefined) return void inside--
    const [tenantId, queue] = first
    waiting.delete(tenantId)
    const next = queue.shift()
    if (queue.length > 0) waiting.set(tenantId, queue)
    // The place is handed on: nobody who comes in between can take it.
    next?.()
  }

  const wait = (tenantId: string): Promise<void> =>
    new Promise(resolve => {
      const queue = waiting.get(tenantId)
      if (queue === undefined) waiting.set(tenantId, [resolve])
      else queue.push(resolve)
    })

  return {
    async run(tenantId, work) {
      if (inside >= width) await wait(tenantId)
      else inside++
      try {
        return await work()
      } finally {
        admitNext()
      }
    },
  }
}
