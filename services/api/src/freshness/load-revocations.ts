import type { Clock } from '../shared/clock.ts'
import type { FreshnessStore } from './freshness.store.ts'
import { FORGET_MARGIN_MS } from './known-revocations.ts'
import type { LogPage, LogRange } from './log-pages.ts'
import type { TenantCopy } from './tenant-copy.ts'

export interface LoadDeps {
  store: Pick<FreshnessStore, 'readLogPage' | 'listBulks'>
  /** The one that tokens are judged by: what it says is over needs no revocation. */
  clock: Clock
  /** False when the copy was dropped meanwhile: nobody needs the rest. */
  isWanted(): boolean
}

const PAGE = 5_000

/**
 * Reads all living revocations up to the number that the new copy stands at, page by page. What
 * commits meanwhile comes by the freshness question, as to every copy. Until the last page is in,
 * the copy says "maybe" to every session.
 */
export async function loadRevocations(deps: LoadDeps, copy: TenantCopy): Promise<void> {
  const { store, clock, isWanted } = deps
  const { tenantId, seq: upToSeq, revocations } = copy
  const since = new Date(clock.nowMs() - FORGET_MARGIN_MS)
  for (let afterSeq: number | null = 0; afterSeq !== null && isWanted(); ) {
    const page: LogPage = await store.readLogPage(tenantId, { afterSeq, upToSeq }, since, PAGE)
    for (const { forgetAfter, sessionIds } of page.groups)
      for (const id of sessionIds) revocations.noteSession(id, forgetAfter.getTime(), clock.nowMs())
    if (page.hasOthers) await noteBulks(deps, copy, { afterSeq, upToSeq: page.upToSeq })
    afterSeq = page.next
  }
  revocations.isWhole = isWanted()
}

async function noteBulks(deps: LoadDeps, copy: TenantCopy, range: LogRange): Promise<void> {
  for (const bulk of await deps.store.listBulks(copy.tenantId, range))
    copy.revocations.note(bulk, deps.clock.nowMs())
}
