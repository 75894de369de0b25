import type { Clock } from '../shared/clock.ts'
import { Problem } from '../shared/problem.ts'
import { within } from '../shared/within.ts'
import type { FreshnessStore, LostTrack } from './freshness.store.ts'
import type { TenantCopies } from './tenant-copies.ts'
import type { TenantChange, TenantCopy } from './tenant-copy.ts'

/**
 * Guarantee 1. Postgres is the truth; a node's memory is a copy of it. Before a request uses the
 * copy of its tenant, it must know that nothing was committed since: one question, "what has changed
 * after number n?", begun after the request arrived. The question is shared: while one is under way,
 * all who come wait for the next, so that a busy node asks once for hundreds of requests (the
 * read-index idea of Raft). A question never serves a request that arrived after it was sent.
 */
export interface Freshness {
  /**
   * The tenant's copy, as current as the moment of this call.
   *
   * @returns null where there is no such tenant.
   * @throws Problem service_unavailable when Postgres does not answer in time: never a guess.
   */
  current(tenantId: string): Promise<TenantCopy | null>
  /** The copy as it happens to be, perhaps out of date: good for a hint, never for a decision. */
  peek(tenantId: string): TenantCopy | null
  /** How many questions were sent, and how many requests they answered. */
  readonly counts: { questions: number; requests: number }
}

export interface FreshnessDeps {
  store: Pick<FreshnessStore, 'listChanges'>
  copies: TenantCopies
  clock: Clock
}

type Line = TenantChange | LostTrack

/** All who wait for the same tenant share one answer. */
type Waiter = PromiseWithResolvers<TenantCopy | null>

/** More waiting than this means that Postgres has stalled: refuse at once rather than pile up. */
const MAX_WAITING = 20_000
const MAX_CHANGES_PER_ANSWER = 1_000
const ANSWER_TIMEOUT_MS = 900

export function createFreshness({ store, copies, clock }: FreshnessDeps): Freshness {
  const counts = { questions: 0, requests: 0 }
  let waiting = new Map<string, Waiter>()
  let waitingCount = 0
  let isAsking = false

  const join = (tenantId: string): Promise<TenantCopy | null> => {
    counts.requests++
    if (waitingCount >= MAX_WAITING)
      return Promise.reject(unavailable('too many wait for Postgres'))
    waitingCount++
    let waiter = waiting.get(tenantId)
    if (waiter === undefined) {
      waiter = Promise.withResolvers()
      waiting.set(tenantId, waiter)
    }
    if (!isAsking) askSoon()
    return waiter.promise
  }

  // At the end of this turn of the event loop: what else has arrived by then is asked about with it.
  const askSoon = (): void => {
    isAsking = true
    setImmediate(setImmediate, askNow)
  }

  const askNow = async (): Promise<void> => {
    const asking = waiting
    waiting = new Map()
    waitingCount = 0
    await ask(asking)
    if (waiting.size > 0) askSoon()
    else isAsking = false
  }

  const ask = async (asking: Map<string, Waiter>): Promise<void> => {
    const known = [...asking.keys()].map(tenantId => copies.peek(tenantId))
    const held = known.filter(copy => copy !== null)
    counts.questions++
    const askedAtMs = clock.monotonicMs()
    try {
      const lines = await within(ANSWER_TIMEOUT_MS, store.listChanges(held, MAX_CHANGES_PER_ANSWER))
      settle(asking, held, lines, askedAtMs)
    } catch (cause) {
      const problem = unavailable('the freshness question failed', cause)
      rejectAll(asking, problem)
      // A Postgres that stood still for so long would keep those who came meanwhile for as long again.
      if (clock.monotonicMs() - askedAtMs < ANSWER_TIMEOUT_MS / 2) return
      rejectAll(waiting, problem)
      waiting = new Map()
      waitingCount = 0
    }
  }

  /** Tenants with nothing new are answered on the spot; the others when their copy has caught up. */
  const settle = (
    asking: Map<string, Waiter>,
    held: TenantCopy[],
    lines: Line[],
    askedAtMs: number,
  ): void => {
    const newsOf = lines.length === 0 ? NO_NEWS : Map.groupBy(lines, line => line.tenantId)
    for (const copy of held) {
      // Dropped while the question was under way, perhaps because the server is another one now.
      if (copies.peek(copy.tenantId) !== copy) continue
      const waiter = asking.get(copy.tenantId)
      if (waiter === undefined) continue
      asking.delete(copy.tenantId)
      const news = newsOf.get(copy.tenantId)
      if (news === undefined) {
        copies.touch(copy, askedAtMs)
        waiter.resolve(copy)
      } else {
        void passOn(catchUp(copy, news, askedAtMs), waiter)
      }
    }
    // Whose copy was dropped on the way starts again, with one that is loaded anew.
    for (const [tenantId, waiter] of asking) void passOn(current(tenantId), waiter)
  }

  const catchUp = async (
    copy: TenantCopy,
    news: Line[],
    askedAtMs: number,
  ): Promise<TenantCopy | null> => {
    const isWhole = news.length < MAX_CHANGES_PER_ANSWER
    // A copy that had to be dropped, or has more to learn, is asked about once more.
    if (!copies.apply(copy, news) || !isWhole) return current(copy.tenantId)
    copies.touch(copy, askedAtMs)
    return copy
  }

  const current = (tenantId: string): Promise<TenantCopy | null> => {
    copies.dropStale()
    return copies.peek(tenantId) === null ? loadAndJoin(tenantId) : join(tenantId)
  }

  const loadAndJoin = async (tenantId: string): Promise<TenantCopy | null> => {
    const loaded = await loadOrRefuse(copies, tenantId)
    return loaded === null ? null : join(tenantId)
  }

  return { current, peek: copies.peek, counts }
}

const NO_NEWS = new Map<string, Line[]>()

function rejectAll(waiters: Map<string, Waiter>, problem: Problem): void {
  for (const { reject } of waiters.values()) reject(problem)
}

async function loadOrRefuse(copies: TenantCopies, tenantId: string): Promise<TenantCopy | null> {
  try {
    return await within(ANSWER_TIMEOUT_MS, copies.load(tenantId))
  } catch (cause) {
    throw unavailable('the tenant could not be loaded', cause)
  }
}

async function passOn(
  answer: Promise<TenantCopy | null>,
  { resolve, reject }: Waiter,
): Promise<void> {
  try {
    resolve(await answer)
  } catch (cause) {
    reject(unavailable('the copy could not catch up', cause))
  }
}

function unavailable(internal: string, cause?: unknown): Problem {
  return new Problem('service_unavailable', { headers: { 'retry-after': '1' }, internal, cause })
}
