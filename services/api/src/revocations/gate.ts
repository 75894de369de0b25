/** Lets a few through at a time; the others wait in order. */
export interface Gate {
  run<T>(work: () => Promise<T>): Promise<T>
}

export function createGate(width: number): Gate {
  const waiting: (() => void)[] = []
  let inside = 0
  return {
    async run(work) {
      if (inside >= width) await new Promise<void>(resolve => waiting.push(resolve))
      else inside++
      try {
        return await work()
      } finally {
        // The place is handed on: nobody who comes in between can take it.
        const next = waiting.shift()
        if (next === undefined) inside--
        else next()
      }
    },
  }
}
