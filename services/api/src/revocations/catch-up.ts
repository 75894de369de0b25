import type { LogPage, LogRange, SessionGroup } from '../freshness/log-pages.ts'
import type { Clock } from '../shared/clock.ts'
import type { FeedStream } from './feed-stream.ts'
import { entryText, RESET, snapshotText } from './feed-text.ts'
import type { Gate } from './gate.ts'
import type { FeedLine, RevocationStore } from './revocations.store.ts'

export interface CatchUpDeps {
  store: Pick<RevocationStore, 'list' | 'listLiving' | 'listOthers' | 'readLogPage'>
  clock: Clock
  /** Those who catch up at the same time, as after the death of a node, take turns at Postgres. */
  gate: Gate
}

/** More than this is told as a snapshot: a tenth of the bytes. */
const MAX_SINGLE_ENTRIES = 1_000
/** Within so many lines of the log those that matter are looked for one after another. */
const NEAR = 20_000
/** Lines of the log at a time. */
const PAGE = 5_000
const MAX_IDS_PER_EVENT = 1_000

/**
 * Brings a stream from where its client stands to `head`, at the speed of the reader. What commits
 * meanwhile has a greater number than `head` and is told afterwards, so nothing is missed.
 */
export async function catchUp(deps: CatchUpDeps, stream: FeedStream, head: number): Promise<void> {
  if (stream.seq > head) {
    stream.seq = 0
    stream.write(RESET)
  }
  if (stream.seq < head) await sendPast(deps, stream, head)
  stream.seq = head
}

async function sendPast(deps: CatchUpDeps, stream: FeedStream, upToSeq: number): Promise<void> {
  const now = new Date(deps.clock.nowMs())
  const range = { afterSeq: stream.seq, upToSeq }
  const lines = await findFew(deps, stream.tenantId, range, now)
  if (lines === null) await sendSnapshot(deps, stream, upToSeq, now)
  else writeEntries(stream, lines)
}

/** What matters in the range, in order; null when it is too much to be told one by one. */
async function findFew(
  { store, gate }: CatchUpDeps,
  tenantId: string,
  range: LogRange,
  now: Date,
): Promise<FeedLine[] | null> {
  const { afterSeq, upToSeq } = range
  const limit = MAX_SINGLE_ENTRIES + 1
  const lines = await gate.run(tenantId, () =>
    upToSeq - afterSeq <= NEAR
      ? store.list(tenantId, range, limit, now)
      : store.listLiving(tenantId, limit, now),
  )
  if (lines.length > MAX_SINGLE_ENTRIES) return null
  return lines
    .filter(({ seq }) => seq > afterSeq && seq <= upToSeq)
    .toSorted((one, other) => one.seq - other.seq)
}

/**
 * Page by page: the revoked sessions as a snapshot, then changed ones, bulk revokes and changes of
 * signing keys one by one. Those carry their ids, and may: whatever has a smaller number was told before.
 */
async function sendSnapshot(
  { store, gate }: CatchUpDeps,
  stream: FeedStream,
  upToSeq: number,
  now: Date,
): Promise<void> {
  const { tenantId } = stream
  for (let next: number | null = stream.seq; next !== null && stream.isOpen; ) {
    const afterSeq: number = next
    const page: LogPage = await gate.run(tenantId, () =>
      store.readLogPage(tenantId, { afterSeq, upToSeq }, now, PAGE),
    )
    stream.write(Buffer.from(page.groups.flatMap(snapshotTexts).join('')))
    if (page.hasOthers) {
      const range = { afterSeq, upToSeq: page.upToSeq }
      writeEntries(stream, await gate.run(tenantId, () => store.listOthers(tenantId, range, now)))
    }
    await stream.room()
    next = page.next
  }
}

function snapshotTexts({ forgetAfter, sessionIds }: SessionGroup): string[] {
  const texts: string[] = []
  for (let at = 0; at < sessionIds.length; at += MAX_IDS_PER_EVENT)
    texts.push(snapshotText(forgetAfter, sessionIds.slice(at, at + MAX_IDS_PER_EVENT)))
  return texts
}

/** The client has just proved who it is and fetches the rest: the past of keys and tenant is over. */
function writeEntries(stream: FeedStream, lines: readonly FeedLine[]): void {
  const texts = lines.filter(({ kind }) => kind !== 'tenant' && kind !== 'api_keys').map(entryText)
  stream.write(Buffer.from(texts.join('')))
}
