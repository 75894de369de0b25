import { fork } from 'node:child_process'
import { once } from 'node:events'
import { ask } from './load.ts'
import type { World } from './world.ts'

/** Verifiers of the SDK that follow the feed, in a process of their own as in somebody's backend. */
export interface FeedVerifiers {
  /**
   * Lets every verifier see a good token.
   * @returns to wait until each has refused it: when that was, in milliseconds of the wall clock.
   */
  watch(token: string): Promise<() => Promise<number[]>>
  stop(): void
}

/** What the process of the verifiers is told first. */
export interface VerifiersOrder {
  count: number
  issuer: string
  url: string
  secretKey: string
}

const PATIENCE_MS = 10_000
const PROGRAM = new URL('./feed-verifiers.ts', import.meta.url).pathname

export async function startFeedVerifiers(world: World, count: number): Promise<FeedVerifiers> {
  const { tenantId, headers, node } = world
  const child = fork(PROGRAM, { execArgv: ['--disable-warning=ExperimentalWarning'] })
  const order: VerifiersOrder = {
    count,
    issuer: `https://auth.example.com/t/${tenantId}`,
    url: node.url,
    secretKey: headers.authorization?.replace('Bearer ', '') ?? '',
  }
  const stop = (): void => void child.kill()
  try {
    await ask(child, order)
  } catch (error) {
    stop()
    throw error
  }
  return {
    stop,
    async watch(token) {
      await ask(child, { token })
      const signal = AbortSignal.timeout(PATIENCE_MS)
      const refused = once(child, 'message', { signal })
      refused.catch(() => {})
      return async () => {
        const [answer] = await refused
        if ('failed' in answer) throw new Error(answer.failed)
        return answer.refusedAtMs
      }
    },
  }
}
