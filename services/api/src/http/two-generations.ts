/**
 * A map that forgets by itself what has not been asked for during a whole generation, at no cost:
 * the older of two maps is dropped as one. Bounded by size too, whoever floods it.
 */
export interface TwoGenerations<V> {
  get(id: string, nowMs: number): V
  readonly size: number
}

export interface TwoGenerationsOptions<V> {
  make(nowMs: number): V
  generationMs: number
  /** Per generation. When it is full, the next one begins early. */
  maxEntries: number
}

export function createTwoGenerations<V>(options: TwoGenerationsOptions<V>): TwoGenerations<V> {
  const { make, generationMs, maxEntries } = options
  let young = new Map<string, V>()
  let old = new Map<string, V>()
  let bornAtMs = Number.NEGATIVE_INFINITY
  return {
    get(id, nowMs) {
      if (nowMs - bornAtMs > generationMs || young.size >= maxEntries) {
        old = young
        young = new Map()
        bornAtMs = nowMs
      }
      const known = young.get(id)
      if (known !== undefined) return known
      const value = old.get(id) ?? make(nowMs)
      young.set(id, value)
      return value
    },
    get size() {
      return young.size + old.size
    },
  }
}
