/**
 * A set of texts that keeps no text: of each a fingerprint of 53 bits, the longest whole number that
 * JavaScript holds exactly, in one flat array. A million entries take 16 MB, where a `Set` of the
 * same ids takes 100. Two texts may share a fingerprint (one pair in 10^16), so "yes" means "maybe";
 * the same text always has the same one, so "no" is certain.
 */
export interface Fingerprints {
  /** With a number; of several for the same fingerprint the greatest stays. */
  set(fingerprint: number, value?: number): void
  /** The number; 0 where there is none. */
  get(fingerprint: number): number
  readonly size: number
  readonly byteLength: number
}

const FIRST_CAPACITY = 16
/** Fuller than three quarters, and searching grows long. */
const MAX_LOAD = 0.75
/** Stands for itself and all that is greater. */
const MAX_VALUE = 0xffff_ffff

/** @param hasValues without them every entry has the number 1, and needs no room for it. */
export function createFingerprints({ hasValues }: { hasValues: boolean }): Fingerprints {
  // A slot of 0 is free: no fingerprint is 0. The capacity is a power of two.
  let slots = new Float64Array(FIRST_CAPACITY)
  let values = new Uint32Array(hasValues ? FIRST_CAPACITY : 0)
  let size = 0

  /** Where it is, or where it belongs: the first free slot from the place that its low bits name. */
  const findSlot = (fingerprint: number): number => {
    const mask = slots.length - 1
    let slot = (fingerprint >>> 0) & mask
    while (slots[slot] !== 0 && slots[slot] !== fingerprint) slot = (slot + 1) & mask
    return slot
  }

  const grow = (): void => {
    const before = { slots, values }
    slots = new Float64Array(before.slots.length * 2)
    values = new Uint32Array(before.values.length * 2)
    // Plain counting: an iterator takes five times as long, and everybody waits for this.
    for (let from = 0; from < before.slots.length; from++) {
      const fingerprint = before.slots[from] ?? 0
      if (fingerprint === 0) continue
      const to = findSlot(fingerprint)
      slots[to] = fingerprint
      if (hasValues) values[to] = before.values[from] ?? 0
    }
  }

  return {
    set(fingerprint, value = 1) {
      if (size + 1 > slots.length * MAX_LOAD) grow()
      const slot = findSlot(fingerprint)
      if (slots[slot] === 0) size++
      slots[slot] = fingerprint
      if (hasValues) values[slot] = Math.max(values[slot] ?? 0, Math.min(value, MAX_VALUE))
    },
    get(fingerprint) {
      const slot = findSlot(fingerprint)
      if (slots[slot] === 0) return 0
      if (!hasValues) return 1
      return values[slot] === MAX_VALUE ? Infinity : (values[slot] ?? 0)
    },
    get size() {
      return size
    },
    get byteLength() {
      return slots.byteLength + values.byteLength
    },
  }
}

/** How many numbers a fingerprint's upper part can be: with the lower 32 bits they make 53. */
const UPPER = 1 << 21

/** Two hashes of 32 bits, mixed in the end so that near texts (ids count upwards) come apart. */
export function fingerprintOf(text: string, from = 0): number {
  let low = 0x811c9dc5
  let high = 0x01000193
  for (let at = Math.max(from, 0); at < text.length; at++) {
    const code = text.charCodeAt(at)
    low = Math.imul(low ^ code, 0x9e3779b1)
    high = Math.imul(high ^ code, 0x85ebca77)
  }
  low = Math.imul(low ^ (low >>> 15) ^ high, 0x2c1b3c6d)
  high = Math.imul(high ^ (high >>> 13) ^ low, 0x297a2d39)
  low ^= low >>> 16
  high ^= high >>> 15
  return (high & (UPPER - 1)) * 2 ** 32 + (low >>> 0) || 1
}
