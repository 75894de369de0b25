import type { Clock } from '../shared/clock.ts'
import type { MasterKey } from '../shared/crypto.ts'
import { createKeyring } from '../signing-keys/keyring.ts'
import { readSettings } from '../tenants/tenants.settings.ts'
import type { FreshnessStore, LostTrack, StoredTenant } from './freshness.store.ts'
import { createKnownRevocations } from './known-revocations.ts'
import { loadRevocations } from './load-revocations.ts'
import type { TenantChange, TenantCopy } from './tenant-copy.ts'

/** The copies that this node holds. Nothing here says that a copy is current: see Freshness. */
export interface TenantCopies {
  peek(tenantId: string): TenantCopy | null
  load(tenantId: string): Promise<TenantCopy | null>
  /** Brings a copy forward; false when it was dropped instead and must be loaded anew. */
  apply(copy: TenantCopy, lines: (TenantChange | LostTrack)[]): boolean
  /** Says when the copy was last known to be current. */
  touch(copy: TenantCopy, askedAtMs: number): void
  dropStale(): void
  /** For when the database may be another one than before: nothing that was read can be built on. */
  dropAll(): void
}

/**
 * A change is kept in Postgres for at least two hours after it could matter (the worker's margin). A
 * copy that was not asked about for longer could miss one, so it is dropped long before.
 */
const MAX_UNASKED_MS = 10 * 60_000
const MAX_COPIES = 10_000
/** A wall clock that steps back could bring a token to life whose revocation was forgotten. */
const MAX_STEP_BACK_MS = 1_000
const HOUSEKEEPING_MS = 10_000
/** How long the first request waits for the revocations of its tenant: enough for some ten thousand. */
const LOAD_PATIENCE_MS = 100

export interface TenantCopiesDeps {
  store: FreshnessStore
  masterKey: MasterKey
  clock: Clock
}

export function createTenantCopies({ store, masterKey, clock }: TenantCopiesDeps): TenantCopies {
  const copies = new Map<string, { copy: TenantCopy; askedAtMs: number }>()
  const loading = new Map<string, Promise<TenantCopy | null>>()
  // Counts how often everything was dropped.
  let era = 0
  let newestWallMs = clock.nowMs()
  let tidiedAtMs = clock.monotonicMs()

  const drop = (copy: TenantCopy): void => {
    if (copies.get(copy.tenantId)?.copy === copy) copies.delete(copy.tenantId)
  }

  const dropLongestUnasked = (): void => {
    let longest: { copy: TenantCopy; askedAtMs: number } | undefined
    for (const held of copies.values())
      if (longest === undefined || held.askedAtMs < longest.askedAtMs) longest = held
    if (longest !== undefined) drop(longest.copy)
  }

  const clear = (): void => {
    copies.clear()
    era++
  }

  const loadFromStore = async (tenantId: string): Promise<TenantCopy | null> => {
    const begunInEra = era
    // The head is read first: whatever commits after it is found by the next question.
    const seq = await store.findHead(tenantId)
    const stored = seq === null ? null : await store.findTenant(tenantId)
    // What was read of the server before, or judged by the clock before, is not built on either.
    if (era !== begunInEra) return loadFromStore(tenantId)
    if (seq === null || stored === null) return null
    const copy = toCopy(stored, seq, masterKey)
    if (copies.size >= MAX_COPIES) dropLongestUnasked()
    copies.set(tenantId, { copy, askedAtMs: clock.monotonicMs() })
    await waitAWhile(readRevocations(copy))
    return copy
  }

  /** Goes on when nobody waits any more: until it ends the copy says "maybe", and Postgres decides. */
  const readRevocations = async (copy: TenantCopy): Promise<void> => {
    const isWanted = () => copies.get(copy.tenantId)?.copy === copy
    try {
      await loadRevocations({ store, clock, isWanted }, copy)
    } catch (error) {
      drop(copy)
      throw error
    }
  }

  const tidy = (nowMs: number): void => {
    for (const { copy, askedAtMs } of copies.values()) {
      if (nowMs - askedAtMs > MAX_UNASKED_MS) drop(copy)
      else copy.revocations.forget(clock.nowMs())
    }
  }

  return {
    peek: tenantId => copies.get(tenantId)?.copy ?? null,
    load(tenantId) {
      const underWay = loading.get(tenantId)
      if (underWay !== undefined) return underWay
      const load = loadFromStore(tenantId).finally(() => loading.delete(tenantId))
      loading.set(tenantId, load)
      return load
    },
    apply(copy, lines) {
      for (const line of lines) {
        // A number already held comes when two questions were answered out of turn.
        if (line.kind !== null && line.seq <= copy.seq) continue
        if (!isNext(copy, line)) {
          drop(copy)
          return false
        }
        applyChange(copy, line, clock.nowMs())
      }
      return true
    },
    touch(copy, askedAtMs) {
      const held = copies.get(copy.tenantId)
      if (held?.copy === copy) held.askedAtMs = askedAtMs
    },
    dropAll: clear,
    dropStale() {
      const wallMs = clock.nowMs()
      if (wallMs < newestWallMs - MAX_STEP_BACK_MS) {
        clear()
        newestWallMs = wallMs
      }
      if (wallMs > newestWallMs) newestWallMs = wallMs
      const nowMs = clock.monotonicMs()
      if (nowMs - tidiedAtMs < HOUSEKEEPING_MS) return
      tidiedAtMs = nowMs
      tidy(nowMs)
    },
  }
}

/**
 * Whether the line can be built on what the copy holds. Settings, status and signing keys are read
 * anew as a whole, for such changes are rare; and a number that is not the next one means that the
 * copy has missed something.
 */
const isNext = (copy: TenantCopy, line: TenantChange | LostTrack): line is TenantChange =>
  line.kind !== null &&
  line.kind !== 'tenant' &&
  line.kind !== 'signing_keys' &&
  line.seq === copy.seq + 1

function applyChange(copy: TenantCopy, change: TenantChange, nowMs: number): void {
  copy.seq = change.seq
  if (change.kind === 'api_keys') {
    copy.apiKeysVersion++
    copy.apiKeys.clear()
  } else {
    copy.revocations.note(change, nowMs)
  }
}

/** @param seq up to which number of the change log this is what Postgres holds */
function toCopy(stored: StoredTenant, seq: number, masterKey: MasterKey): TenantCopy {
  return {
    tenantId: stored.tenantId,
    name: stored.name,
    status: stored.status,
    settings: readSettings(stored.settings),
    keyring: createKeyring(stored.signingKeys, masterKey),
    apiKeys: new Map(),
    apiKeysVersion: 0,
    seq,
    revocations: createKnownRevocations(),
  }
}

/** @throws what the loading throws in that time; whoever asks later begins anew. */
async function waitAWhile(loading: Promise<void>): Promise<void> {
  const patience = Promise.withResolvers<void>()
  const timer = setTimeout(patience.resolve, LOAD_PATIENCE_MS)
  // A failure after that time concerns nobody who waits.
  loading.catch(() => {})
  await Promise.race([loading, patience.promise]).finally(() => clearTimeout(timer))
}
