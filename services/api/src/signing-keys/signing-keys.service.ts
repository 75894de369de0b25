import type { Clock } from '../shared/clock.ts'
import type { MasterKey } from '../shared/crypto.ts'
import { Problem } from '../shared/problem.ts'
import { MAX_ACCESS_TOKEN_TTL_SECONDS } from '../tenants/tenants.schema.ts'
import { createKeyPair, type NewKeyPair } from './key-pair.ts'
import { type StoredSigningKey, toPublicJwk } from './keyring.ts'
import type { SigningKey, SigningKeyList } from './signing-keys.schema.ts'
import type { KeyChange, SigningKeyStore } from './signing-keys.store.ts'

/** How long a JWK set may be cached by whoever fetches it. */
export const JWKS_MAX_AGE_SECONDS = 300
/** A new key is published for this long before it signs: twice the cache time. */
export const PUBLISH_AHEAD_SECONDS = 2 * JWKS_MAX_AGE_SECONDS

/**
 * Each tenant has a key that signs and a next one, already published. A rotation lets the next one
 * sign and publishes another; what signed before stays published until its last token has expired.
 */
export interface SigningKeyService {
  list(tenantId: string): Promise<SigningKeyList>
  /** Calls the next key up: at once if it has been published for long enough, else when it has. */
  rotate(tenantId: string, actor: string): Promise<SigningKey>
  /**
   * Emergency: every token that the key signed is refused from now on, and it leaves the JWK set. If
   * it was the one that signs, the next key takes over at once.
   */
  revoke(tenantId: string, kid: string, actor: string, reason?: string): Promise<void>
  /** The keys of a new tenant: one that signs, and the next. */
  createFirst(tenantId: string, now: Date): Promise<StoredSigningKey[]>
}

export interface SigningKeyDeps {
  store: SigningKeyStore
  masterKey: MasterKey
  clock: Clock
}

export function createSigningKeyService(deps: SigningKeyDeps): SigningKeyService {
  const { store, masterKey, clock } = deps
  return {
    async list(tenantId) {
      const nowMs = clock.nowMs()
      const keys = await store.list(tenantId)
      const data = keys.map(key => toSigningKey(key, keys, nowMs))
      return { object: 'list', data, has_more: false, next_cursor: null }
    },

    async rotate(tenantId, actor) {
      const now = new Date(clock.nowMs())
      const replacement = createKeyPair(tenantId, masterKey)
      let promotedKid = ''
      const keys = await store.change(tenantId, now, existing => {
        const waiting = existing.find(key => isUsable(key) && isScheduled(key, now))
        if (waiting !== undefined) {
          promotedKid = waiting.kid
          return null
        }
        const { promoted, updates } = promoteNext(existing, now)
        promotedKid = promoted.kid
        const inserts = [publishNext(replacement, now)]
        const event = { type: 'signing_key.rotated' as const, actor, data: { kid: promotedKid } }
        return { inserts, updates, event }
      })
      return toSigningKey(find(keys, promotedKid), keys, now.getTime())
    },

    async revoke(tenantId, kid, actor, reason) {
      const now = new Date(clock.nowMs())
      const replacement = createKeyPair(tenantId, masterKey)
      await store.change(tenantId, now, existing => {
        const key = find(existing, kid)
        if (key.revokedAt !== null) return null
        const set = { revokedAt: now, ...(reason !== undefined && { revokeReason: reason }) }
        const { updates, needsNext } = takeOver(key, existing, now)
        return {
          inserts: needsNext ? [publishNext(replacement, now)] : [],
          updates: [{ kid, set }, ...updates],
          event: { type: 'signing_key.revoked', actor, data: { kid, reason: reason ?? null } },
        }
      })
    },

    async createFirst(tenantId, now) {
      const first = createKeyPair(tenantId, masterKey)
      const next = createKeyPair(tenantId, masterKey)
      // No JWK set of this tenant was ever served without the next key: it may sign at any time.
      return [
        { ...unscheduled(first, now), usableFrom: now, signsFrom: now },
        { ...unscheduled(next, now), usableFrom: now },
      ]
    },
  }
}

const isUsable = (key: StoredSigningKey): boolean => key.revokedAt === null
const isNext = (key: StoredSigningKey): boolean => isUsable(key) && key.signsFrom === null
const isScheduled = (key: StoredSigningKey, now: Date): boolean =>
  key.signsFrom !== null && key.signsFrom > now

function find(keys: StoredSigningKey[], kid: string): StoredSigningKey {
  const key = keys.find(candidate => candidate.kid === kid)
  if (key === undefined) throw new Problem('signing_key_not_found')
  return key
}

const unscheduled = (pair: NewKeyPair, now: Date) => ({
  ...pair,
  createdAt: now,
  signsFrom: null,
  publishedUntil: null,
  revokedAt: null,
})

const plusSeconds = (instant: Date, seconds: number): Date =>
  new Date(instant.getTime() + seconds * 1000)

const publishNext = (pair: NewKeyPair, now: Date): StoredSigningKey => ({
  ...unscheduled(pair, now),
  usableFrom: plusSeconds(now, PUBLISH_AHEAD_SECONDS),
})

/** The last token of a key is signed when its successor begins, and lives at most this long. */
const lastTokenExpiry = (successorSignsFrom: Date): Date =>
  plusSeconds(successorSignsFrom, MAX_ACCESS_TOKEN_TTL_SECONDS + JWKS_MAX_AGE_SECONDS)

function promoteNext(keys: StoredSigningKey[], now: Date) {
  const promoted = keys.find(isNext)
  if (promoted === undefined) throw new Error('a tenant has no next signing key')
  const signsFrom = promoted.usableFrom > now ? promoted.usableFrom : now
  const retired = keys.filter(
    key => isUsable(key) && key.signsFrom !== null && key.publishedUntil === null,
  )
  const updates = [
    { kid: promoted.kid, set: { signsFrom } },
    ...retired.map(({ kid }) => ({ kid, set: { publishedUntil: lastTokenExpiry(signsFrom) } })),
  ]
  return { promoted, updates }
}

/**
 * What follows from revoking a key: who signs instead, and whether a new next key is needed. The line
 * of signing keys ends with one whose `publishedUntil` is open; that fact, and not a clock that may
 * differ from another node's, says whether the line has lost its end.
 */
function takeOver(revoked: StoredSigningKey, keys: StoredSigningKey[], now: Date) {
  const rest = keys.filter(key => key !== revoked && isUsable(key))
  const updates: KeyChange['updates'] = []
  const takesOver = (key: StoredSigningKey): void => {
    updates.push({ kid: key.kid, set: { signsFrom: now, usableFrom: now, publishedUntil: null } })
  }
  const end = rest.find(key => key.signsFrom !== null && key.publishedUntil === null)
  const next = rest.find(isNext)
  let promoted: StoredSigningKey | undefined
  if (revoked.signsFrom !== null && end === undefined) {
    // It was the end of the line. Before it began, the key it was to relieve goes on signing.
    const before = isScheduled(revoked, now) ? signerOf(rest, now) : undefined
    if (before !== undefined) updates.push({ kid: before.kid, set: { publishedUntil: null } })
    else promoted = next
  } else if (end !== undefined && isScheduled(end, now) && signerOf(keys, now) === revoked) {
    promoted = end
  }
  if (promoted !== undefined) takesOver(promoted)
  return { updates, needsNext: next === undefined || next === promoted }
}

/** The key that signs at this moment, by this clock. */
const signerOf = (keys: StoredSigningKey[], now: Date): StoredSigningKey | undefined =>
  keys.find(key => statusOf(key, keys, now.getTime()) === 'active')

function toSigningKey(key: StoredSigningKey, all: StoredSigningKey[], nowMs: number): SigningKey {
  return {
    object: 'signing_key',
    kid: key.kid,
    status: statusOf(key, all, nowMs),
    public_jwk: toPublicJwk(key),
    created_at: key.createdAt.toISOString(),
    signs_from: key.signsFrom?.toISOString() ?? null,
    published_until: key.publishedUntil?.toISOString() ?? null,
    revoked_at: key.revokedAt?.toISOString() ?? null,
  }
}

function statusOf(key: StoredSigningKey, all: StoredSigningKey[], nowMs: number) {
  if (key.revokedAt !== null) return 'revoked'
  if (key.signsFrom === null || key.signsFrom.getTime() > nowMs) return 'next'
  const began = key.signsFrom
  const isSucceeded = all.some(
    other =>
      other.revokedAt === null &&
      other.signsFrom !== null &&
      other.signsFrom > began &&
      other.signsFrom.getTime() <= nowMs,
  )
  return isSucceeded ? 'retired' : 'active'
}
