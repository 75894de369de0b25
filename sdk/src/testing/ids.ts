import { base64url } from 'jose'

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** `prefix_` and a ULID, as Sesame makes its ids. */
export function newId(prefix: 'tnt' | 'ses' | 'tok' | 'key'): string {
  let time = ''
  for (let at = 0, rest = Date.now(); at < 10; at++, rest = Math.floor(rest / 32))
    time = CROCKFORD.charAt(rest % 32) + time
  const random = Array.from(crypto.getRandomValues(new Uint8Array(16)), byte =>
    CROCKFORD.charAt(byte % 32),
  )
  return `${prefix}_${time}${random.join('')}`
}

/** A secret key of the tenant, in the form of real ones: random, the tenant, a checksum. */
export async function newSecretKey(tenantId: string): Promise<string> {
  const random = base64url.encode(crypto.getRandomValues(new Uint8Array(32)))
  const body = `sk_test_${random}${tenantId.slice('tnt_'.length)}`
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(body))
  return body + base64url.encode(new Uint8Array(digest)).slice(0, 6)
}
