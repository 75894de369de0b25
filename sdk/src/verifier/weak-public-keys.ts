/**
 * Whether one constant signature passes under this key for every message: the points of small order,
 * and the spellings of a point that are not its own (RFC 8032, 5.1.3). Some libraries accept them.
 */
export function isWeakPublicKey(publicKey: Uint8Array): boolean {
  // The highest bit is the sign of x; what is left is y, little-endian.
  const y = Uint8Array.from(publicKey)
  y[31] = (y[31] ?? 0) & 0x7f
  return !isBelowPrime(y) || SMALL_ORDER.includes(toHex(y))
}

/** The y of the eight points whose order divides 8: 1, -1, 0, and the two of order eight. */
const SMALL_ORDER = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
]

/** The prime is 2^255 - 19: only the lowest byte tells those above it. */
function isBelowPrime(y: Uint8Array): boolean {
  if (y[31] !== 0x7f) return true
  for (let at = 1; at < 31; at++) if (y[at] !== 0xff) return true
  return (y[0] ?? 0) < 0xed
}

const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
