/**
 * SHA-256 (FIPS 180-4) without waiting: Web Crypto hashes only asynchronously, and a constructor must
 * know at once whether its key is a key. For check digits alone; nothing secret depends on it.
 */
export function sha256(text: string): Uint8Array {
  const blocks = padded(new TextEncoder().encode(text))
  const hash = firstPrimes(8).map(prime => fraction(prime ** (1 / 2)))
  const constants = firstPrimes(64).map(prime => fraction(prime ** (1 / 3)))
  for (let offset = 0; offset < blocks.byteLength; offset += 64) {
    const mixed = compress(hash, schedule(blocks, offset), constants)
    for (const [i, word] of mixed.entries()) hash[i] = (at(hash, i) + word) | 0
  }
  const digest = new DataView(new ArrayBuffer(32))
  for (const [i, word] of hash.entries()) digest.setInt32(i * 4, word)
  return new Uint8Array(digest.buffer)
}

/** The text, a 1 bit, zeros, and the length in bits: whole blocks of 64 bytes. */
function padded(bytes: Uint8Array): DataView {
  const blocks = new Uint8Array(Math.ceil((bytes.length + 9) / 64) * 64)
  blocks.set(bytes)
  blocks[bytes.length] = 0x80
  const view = new DataView(blocks.buffer)
  view.setUint32(blocks.length - 4, bytes.length * 8)
  return view
}

function schedule(blocks: DataView, offset: number): number[] {
  const words = Array.from({ length: 16 }, (_, i) => blocks.getInt32(offset + i * 4))
  for (let i = 16; i < 64; i++) {
    const [a, b] = [at(words, i - 15), at(words, i - 2)]
    const s0 = rotate(a, 7) ^ rotate(a, 18) ^ (a >>> 3)
    const s1 = rotate(b, 17) ^ rotate(b, 19) ^ (b >>> 10)
    words.push((at(words, i - 16) + s0 + at(words, i - 7) + s1) | 0)
  }
  return words
}

function compress(hash: number[], words: number[], constants: number[]): number[] {
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = hash
  for (const [i, word] of words.entries()) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
    const t1 = h + s1 + ((e & f) ^ (~e & g)) + at(constants, i) + word
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
    const t2 = s0 + ((a & b) ^ (a & c) ^ (b & c))
    ;[h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0]
  }
  return [a, b, c, d, e, f, g, h]
}

const rotate = (word: number, bits: number): number => (word >>> bits) | (word << (32 - bits))

const at = (words: number[], i: number): number => words[i] ?? 0

/** The first 32 bits behind the point. */
const fraction = (root: number): number => ((root - Math.floor(root)) * 2 ** 32) | 0

function firstPrimes(count: number): number[] {
  const primes: number[] = []
  for (let n = 2; primes.length < count; n++) if (primes.every(prime => n % prime)) primes.push(n)
  return primes
}
