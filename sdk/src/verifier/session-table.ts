/**
 * A set of session ids in about 20 bytes each: 64 of the 80 random bits of the ULID, and the second
 * in which the id may be forgotten, in open addressing. It is cut into shards that grow and forget one
 * by one: no step touches all of it, and no growth needs twice the memory.
 *
 * Two ids that share 64 random bits are one to it. With a million entries the chance that any given
 * session is refused wrongly is one in 18 million million.
 */
export interface SessionTable {
  add(high: number, low: number, forgetAtSeconds: number): void
  /** Zero for what is not there. */
  forgetAtSeconds(high: number, low: number): number
  /** Forgets what may be in an eighth of the table: call it in turn. */
  forgetSome(nowSeconds: number): void
  readonly size: number
  readonly bytes: number
}

interface Shard {
  /** Three words a slot: high, low, the second to forget it at (0: free). */
  words: Uint32Array
  capacity: number
  size: number
  nextForgetAtSeconds: number
}

const SHARDS = 64
const STRIDE = 3
const FIRST_CAPACITY = 8
const MAX_LOAD = 0.75
const TURNS = 8

export function createSessionTable(): SessionTable {
  const shards = Array.from({ length: SHARDS }, () => createShard(0))
  let turn = 0
  let size = 0
  let bytes = 0

  const rebuild = (shard: Shard, capacity: number, nowSeconds: number): void => {
    const old = shard.words
    size -= shard.size
    bytes -= old.byteLength
    Object.assign(shard, createShard(capacity))
    bytes += shard.words.byteLength
    for (let at = 0; at < old.length; at += STRIDE) {
      const forgetAtSeconds = old[at + 2] ?? 0
      if (forgetAtSeconds > nowSeconds)
        insert(shard, old[at] ?? 0, old[at + 1] ?? 0, forgetAtSeconds)
    }
    size += shard.size
  }

  return {
    add(high, low, forgetAtSeconds) {
      const shard = shardOf(shards, high, low)
      if (shard === undefined) return
      if (shard.size + 1 > shard.capacity * MAX_LOAD)
        rebuild(shard, Math.max(FIRST_CAPACITY, Math.ceil(shard.capacity * 1.5)), 0)
      if (insert(shard, high, low, forgetAtSeconds)) size++
    },
    forgetAtSeconds(high, low) {
      const shard = shardOf(shards, high, low)
      if (shard === undefined || shard.size === 0) return 0
      return shard.words[slotOf(shard, high, low) + 2] ?? 0
    },
    forgetSome(nowSeconds) {
      for (let at = turn; at < SHARDS; at += TURNS) {
        const shard = shards[at]
        if (shard === undefined || shard.nextForgetAtSeconds > nowSeconds) continue
        rebuild(shard, capacityFor(countAfter(shard, nowSeconds)), nowSeconds)
      }
      turn = (turn + 1) % TURNS
    },
    get size() {
      return size
    },
    get bytes() {
      return bytes
    },
  }
}

const createShard = (capacity: number): Shard => ({
  words: new Uint32Array(capacity * STRIDE),
  capacity,
  size: 0,
  nextForgetAtSeconds: Number.POSITIVE_INFINITY,
})

/** Ids of one millisecond count up by one, so both choices need well-mixed bits. */
function mix(high: number, low: number): number {
  let hash = Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1)
  hash ^= hash >>> 15
  return Math.imul(hash, 0xc2b2ae35) >>> 0
}

const shardOf = (shards: Shard[], high: number, low: number): Shard | undefined =>
  shards[mix(high, low) & (SHARDS - 1)]

/** Where the entry is, or where it would be: the index of its first word. */
function slotOf({ words, capacity }: Shard, high: number, low: number): number {
  let slot = Math.floor(((mix(high, low) >>> 6) / 2 ** 26) * capacity)
  for (;;) {
    const at = slot * STRIDE
    if (words[at + 2] === 0 || (words[at] === high && words[at + 1] === low)) return at
    slot = slot + 1 === capacity ? 0 : slot + 1
  }
}

function insert(shard: Shard, high: number, low: number, forgetAtSeconds: number): boolean {
  const { words } = shard
  const at = slotOf(shard, high, low)
  const known = words[at + 2] ?? 0
  words[at] = high
  words[at + 1] = low
  words[at + 2] = Math.max(known, forgetAtSeconds)
  shard.nextForgetAtSeconds = Math.min(shard.nextForgetAtSeconds, forgetAtSeconds)
  if (known !== 0) return false
  shard.size++
  return true
}

function countAfter({ words }: Shard, nowSeconds: number): number {
  let count = 0
  for (let at = 2; at < words.length; at += STRIDE) if ((words[at] ?? 0) > nowSeconds) count++
  return count
}

const capacityFor = (count: number): number =>
  count === 0 ? 0 : Math.max(FIRST_CAPACITY, Math.ceil(count / (MAX_LOAD * 0.8)))
