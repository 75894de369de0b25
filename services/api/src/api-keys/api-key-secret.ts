import { randomBytes } from 'node:crypto'
import { sha256 } from '../shared/crypto.ts'
import { isTenantId } from '../shared/ids.ts'

/**
 * `sk_live_` or `sk_test_`, 43 characters of randomness (256 bits in base64url), the tenant's ULID,
 * and a checksum of six. The tenant lets the row be found by an index that begins with it; the
 * checksum lets a scanner tell a leaked key from a look-alike without asking us.
 */
export type KeyMode = 'live' | 'test'

const RANDOM_BYTES = 32
const PREFIX_LENGTH = 'sk_live_'.length + 6
const FORM = /^sk_(?:live|test)_[A-Za-z0-9_-]{43}([0-7][0-9A-HJKMNP-TV-Z]{25})[A-Za-z0-9_-]{6}$/
const CHECKSUM_LENGTH = 6

export interface NewSecret {
  secret: string
  secretHash: Buffer
  prefix: string
}

export function createSecret(tenantId: string, mode: KeyMode): NewSecret {
  const random = randomBytes(RANDOM_BYTES).toString('base64url')
  const body = `sk_${mode}_${random}${tenantId.slice('tnt_'.length)}`
  const secret = body + checksumOf(body)
  return { secret, secretHash: sha256(secret), prefix: secret.slice(0, PREFIX_LENGTH) }
}

/** What a secret says by itself, before anyone is asked about it. */
export interface PresentedSecret {
  secretHash: Buffer
  /** The hash in hex, as a key of maps. */
  hashText: string
  /** Null: it is no secret of ours at all. */
  tenantId: string | null
}

export function readSecret(secret: string): PresentedSecret {
  const secretHash = sha256(secret)
  return { secretHash, hashText: secretHash.toString('hex'), tenantId: tenantOfSecret(secret) }
}

/** The tenant that a secret says it belongs to; null when it is no secret of ours at all. */
export function tenantOfSecret(secret: string): string | null {
  const form = FORM.exec(secret)
  if (form === null) return null
  const body = secret.slice(0, -CHECKSUM_LENGTH)
  const tenantId = `tnt_${form[1]}`
  return checksumOf(body) === secret.slice(-CHECKSUM_LENGTH) && isTenantId(tenantId)
    ? tenantId
    : null
}

const checksumOf = (body: string): string =>
  sha256(body).toString('base64url').slice(0, CHECKSUM_LENGTH)
