import { randomFillSync } from 'node:crypto'
import { monotonicFactory } from 'ulid'

/** Every kind of id that Sesame makes. The part after the prefix is a ULID. */
export type IdPrefix = 'tnt' | 'key' | 'ses' | 'evt' | 'ers' | 'req'

// `ulid()` seeds itself from the system on each call and costs more than a signature; the
// monotonic factory is a hundred times cheaper and keeps ids of one process in order. Left alone it
// asks the system for sixteen single bytes in each new millisecond, so it gets them from a pool.
const pool = new Uint8Array(4_096)
let used = pool.length

function nextRandom(): number {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  return (pool[used++] ?? 0) / 256
}

const nextUlid = monotonicFactory(nextRandom)

/** Ids are names, never proof: they sort by creation time and are guessable by design. */
export function newId<P extends IdPrefix>(prefix: P): `${P}_${string}` {
  return `${prefix}_${nextUlid()}`
}

const ULID = '[0-7][0-9A-HJKMNP-TV-Z]{25}'

export const idPattern = (prefix: IdPrefix): string => `^${prefix}_${ULID}$`

/** Ids that a tenant may bring: of users, organisations, apps and devices. */
export const FOREIGN_ID_PATTERN = '^[A-Za-z0-9_.:@|-]{1,128}$'

/** Signing keys are named by their RFC 7638 thumbprint: SHA-256 in base64url. */
export const KID_PATTERN = '^[A-Za-z0-9_-]{43}$'

/**
 * Rows that belong to the service itself (operator requests, settings) live under this tenant, so
 * that every table and every index can begin with the tenant. No real tenant can have this id: a
 * ULID of all zeros is the first millisecond of 1970.
 */
export const SERVICE_TENANT_ID = 'tnt_00000000000000000000000000'

const TENANT_ID = new RegExp(idPattern('tnt'))

export const isTenantId = (text: string): boolean =>
  text.length === 30 && TENANT_ID.test(text) && text !== SERVICE_TENANT_ID
