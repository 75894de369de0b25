import { setTimeout as sleep } from 'node:timers/promises'

type Close = () => Promise<unknown>

/** What has been opened, in order; closed in the opposite order. */
export interface Opened {
  add(close: Close): void
  /** Goes on after a failure: the rest must be closed all the same. */
  closeAll(onError: (error: unknown) => void): Promise<void>
}

export function createOpened(): Opened {
  const closes: Close[] = []
  return {
    add: close => void closes.push(close),
    async closeAll(onError) {
      for (let close = closes.pop(); close !== undefined; close = closes.pop()) {
        try {
          await close()
        } catch (error) {
          onError(error)
        }
      }
    },
  }
}

interface StopOptions {
  /** Must settle by itself; it is called once. */
  stop: () => Promise<void>
  /** After this time the process ends, whatever still hangs. */
  limitMs: number
}

// One Ctrl-C can arrive several times: from the terminal, from npm, from the launcher.
const SAME_SIGNAL_MS = 1_000

/**
 * The first SIGTERM, SIGINT or SIGHUP stops the service; another one, a second later or more, ends
 * the process at once. The embedded Postgres shuts down cleanly either way: it notices our end.
 */
export function stopOnSignal({ stop, limitMs }: StopOptions): void {
  let isStopping = false
  let mayForce = false
  const onSignal = async () => {
    if (mayForce) process.exit(1)
    if (isStopping) return
    isStopping = true
    setTimeout(() => (mayForce = true), SAME_SIGNAL_MS).unref()
    setTimeout(() => process.exit(1), limitMs).unref()
    await stop()
    process.exit(0)
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, onSignal)
}

/** True when `work` settled in time. */
export async function settlesWithin(work: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const giveUp = new AbortController()
  const timeout = sleep(timeoutMs, false, { signal: giveUp.signal }).catch(() => false)
  const settled = work.then(
    () => true,
    () => true,
  )
  const isSettled = await Promise.race([settled, timeout])
  giveUp.abort()
  return isSettled
}
