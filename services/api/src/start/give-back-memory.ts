import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const SETTLE_MS = 2_000

/**
 * A start makes more garbage than a node that runs, and V8 keeps the room it took for that: a third of
 * an idle process. So once, a little after the start, it is told to give it back. That stops the node
 * for a tenth of a second, so it is only done where nobody has asked for anything yet.
 *
 * @param hasWork whether anybody has asked for something since the start, other than how we are.
 */
export function giveBackMemory(hasWork: () => boolean): void {
  setTimeout(() => {
    if (!hasWork()) collectAll()
  }, SETTLE_MS).unref()
}

/** The one kind of collection after which V8 makes its young generation small again. */
function collectAll(): void {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
  if (typeof collect === 'function')
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}
