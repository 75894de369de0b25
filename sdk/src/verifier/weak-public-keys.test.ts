import { generateKeyPairSync } from 'node:crypto'
import { expect, it } from 'vitest'
import { isWeakPublicKey } from './weak-public-keys.ts'

const P = 2n ** 255n - 19n
const mod = (value: bigint): bigint => ((value % P) + P) % P

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  for (let b = mod(base), e = exponent; e > 0n; e >>= 1n, b = mod(b * b))
    if ((e & 1n) === 1n) result = mod(result * b)
  return result
}

const inverse = (value: bigint): bigint => power(value, P - 2n)
const D = mod(-121665n * inverse(121666n))

function encode(y: bigint, sign: number): Uint8Array {
  const bytes = Uint8Array.from({ length: 32 }, (_, at) => Number((y >> BigInt(8 * at)) & 0xffn))
  bytes[31] = (bytes[31] ?? 0) | (sign << 7)
  return bytes
}

/**
 * The points whose order divides eight, from the equation of the curve and not from a list: y = ±1,
 * y = 0, and those whose double has y = 0, which is where x² = -y², so -2y² = 1 - D·y⁴ … solved for y².
 */
function smallOrderYs(): bigint[] {
  // -x² + y² = 1 + D·x²·y² with x² = -y² gives D·y⁴ + 2·y² - 1 = 0.
  const rootOf = (value: bigint): bigint[] => {
    let root = power(value, (P + 3n) / 8n)
    if (mod(root * root) !== mod(value)) root = mod(root * power(2n, (P - 1n) / 4n))
    return mod(root * root) === mod(value) ? [root, mod(-root)] : []
  }
  const squares = rootOf(mod(1n + D)).map(root => mod((root - 1n) * inverse(D)))
  return [0n, 1n, P - 1n, ...squares.flatMap(rootOf)]
}

it('refuses each point of small order, with either sign and in either spelling', () => {
  const ys = smallOrderYs()
  expect(new Set(ys).size).toBe(5)
  for (const y of ys)
    for (const sign of [0, 1]) {
      expect(isWeakPublicKey(encode(y, sign))).toBe(true)
      if (y < 19n) expect(isWeakPublicKey(encode(y + P, sign))).toBe(true)
    }
})

it('refuses what is no field element, and takes real keys', () => {
  for (let above = 0n; above < 19n; above++)
    expect(isWeakPublicKey(encode(P + above, 0))).toBe(true)
  for (let n = 0; n < 100; n++) {
    const { x = '' } = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })
    expect(isWeakPublicKey(Buffer.from(x, 'base64url'))).toBe(false)
  }
})
