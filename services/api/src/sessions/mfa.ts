/**
 * Which kind of factor a method of RFC 8176 proves: something one knows, has, or is.
 * `mfa` says by itself that there was more than one.
 */
const FACTOR_KINDS: Readonly<Record<string, 'knowledge' | 'possession' | 'inherence'>> = {
  pwd: 'knowledge',
  pin: 'knowledge',
  kba: 'knowledge',
  otp: 'possession',
  sms: 'possession',
  tel: 'possession',
  hwk: 'possession',
  swk: 'possession',
  pop: 'possession',
  sc: 'possession',
  fpt: 'inherence',
  face: 'inherence',
  iris: 'inherence',
  retina: 'inherence',
  vbm: 'inherence',
}

/** @param amr authentication methods references (RFC 8176). */
export function isMfa(amr: readonly string[]): boolean {
  if (amr.includes('mfa')) return true
  const kinds = new Set(
    amr.map(method => (Object.hasOwn(FACTOR_KINDS, method) ? FACTOR_KINDS[method] : undefined)),
  )
  kinds.delete(undefined)
  return kinds.size > 1
}
