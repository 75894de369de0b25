import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../shared/clock.ts'
import { Problem } from '../shared/problem.ts'
import {
  type Claim,
  type IdempotencyStore,
  LOCK_SECONDS,
  type StoredAnswer,
} from './idempotency.store.ts'

/** A request that was chosen to do the work. It must say how it ended, once. */
export interface Run {
  /** Keeps the answer for those who come with the same key, now and for a day. */
  finish(answer: StoredAnswer): Promise<void>
  /** Gives the key back: the next one with it does the work. */
  release(): Promise<void>
}

export interface IdempotentRuns {
  /**
   * A run for the one request that is to do the work, and its answer for all others with the key.
   *
   * @throws Problem `idempotency_conflict` when the key was used for another request
   * @throws Problem `idempotency_in_progress` when the first one takes too long
   */
  begin(tenantId: string, idempotencyKey: string, fingerprint: Buffer): Promise<Run | StoredAnswer>
}

export interface IdempotentRunsOptions {
  store: IdempotencyStore
  clock: Clock
}

const WAIT_MS = 10_000
const FIRST_POLL_MS = 10
const MAX_POLL_MS = 250

/**
 * One request a key does the work, over all nodes; the database decides which. Those on the same
 * node wait for it in memory, so a thousand at once ask the database no more than one.
 */
export function createIdempotentRuns({ store, clock }: IdempotentRunsOptions): IdempotentRuns {
  const active = new Map<string, Active>()
  return {
    async begin(tenantId, idempotencyKey, fingerprint) {
      const id = `${tenantId}/${idempotencyKey}`
      const deadlineMs = clock.monotonicMs() + WAIT_MS
      for (;;) {
        const other = active.get(id)
        if (other === undefined) {
          const claim = { idempotencyKey, fingerprint, owner: randomUUID() }
          const mine = createActive(fingerprint, () => active.delete(id))
          active.set(id, mine)
          return lead({ store, clock, tenantId, claim, mine, deadlineMs })
        }
        if (!other.fingerprint.equals(fingerprint)) throw conflict()
        const answer = await beforeDeadline(other.ended, deadlineMs - clock.monotonicMs())
        if (answer === undefined) throw inProgress()
        if (answer !== null) return answer
      }
    },
  }
}

/** What this node does about a key at the moment: runs it, or watches another node run it. */
interface Active {
  fingerprint: Buffer
  /** The answer, or null when the key was given back. */
  ended: Promise<StoredAnswer | null>
  end(answer: StoredAnswer | null): void
}

function createActive(fingerprint: Buffer, forget: () => void): Active {
  const { promise, resolve } = Promise.withResolvers<StoredAnswer | null>()
  return {
    fingerprint,
    ended: promise,
    end(answer) {
      forget()
      resolve(answer)
    },
  }
}

interface Attempt {
  store: IdempotencyStore
  clock: Clock
  tenantId: string
  claim: Claim
  mine: Active
  deadlineMs: number
}

async function lead(attempt: Attempt): Promise<Run | StoredAnswer> {
  const { mine } = attempt
  try {
    const answer = await claimOrWait(attempt)
    if (answer === null) return createRun(attempt)
    mine.end(answer)
    return answer
  } catch (error) {
    mine.end(null)
    throw error
  }
}

/** Null when the claim is ours; otherwise the answer of whoever had it. */
async function claimOrWait(attempt: Attempt): Promise<StoredAnswer | null> {
  const { store, clock, tenantId, claim, deadlineMs } = attempt
  for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 2, MAX_POLL_MS)) {
    if (await store.insertClaim(tenantId, claim)) return null
    const known = await store.findKey(tenantId, claim.idempotencyKey)
    if (known === null) {
      // Its time is over, or it was given back just now: then the next INSERT gets it.
      if (await store.updateClaim(tenantId, claim)) return null
      continue
    }
    if (!known.fingerprint.equals(claim.fingerprint)) throw conflict()
    if (known.state === 'done') return known.answer
    if (known.isAbandoned && (await store.updateClaim(tenantId, claim))) return null
    if (clock.monotonicMs() + pollMs > deadlineMs) throw inProgress()
    await sleep(pollMs)
  }
}

function createRun({ store, tenantId, claim, mine }: Attempt): Run {
  // A handler that never answers must not hold the key in memory for longer than in the database.
  const timer = setTimeout(() => mine.end(null), LOCK_SECONDS * 1_000).unref()
  const end = async (work: Promise<void>, answer: StoredAnswer | null): Promise<void> => {
    clearTimeout(timer)
    try {
      await work
    } finally {
      mine.end(answer)
    }
  }
  return {
    finish: answer => end(store.updateAnswer(tenantId, claim, answer), answer),
    release: () => end(store.deleteClaim(tenantId, claim), null),
  }
}

/** Undefined when the time is over first. */
async function beforeDeadline<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  const { promise: timeout, resolve } = Promise.withResolvers<undefined>()
  const timer = setTimeout(resolve, Math.max(0, ms), undefined)
  try {
    return await Promise.race([promise, timeout])
  } finally {
    clearTimeout(timer)
  }
}

const conflict = (): Problem =>
  new Problem('idempotency_conflict', {
    detail: 'Use a new Idempotency-Key for each new request, and the same one only to repeat it.',
  })

const inProgress = (): Problem =>
  new Problem('idempotency_in_progress', {
    detail: 'Repeat the request in a moment to get the answer of the first.',
    headers: { 'retry-after': '1' },
  })
