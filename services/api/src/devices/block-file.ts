import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/**
 * Random reads in a file that is too large to hold in memory. A fixed number of blocks is kept, so
 * the memory is bounded whatever is asked; the kernel's page cache, which it takes back under
 * pressure, is what makes a miss cheap. Every read outside of the file throws a RangeError.
 */
export interface BlockFile {
  readonly sizeBytes: number
  byteAt(offset: number): number
  /** Big-endian, up to 6 bytes. */
  uintAt(offset: number, lengthBytes: number): number
  /** UTF-8. */
  textAt(offset: number, lengthBytes: number): string
  close(): void
}

const BLOCK_BYTES = 4096

/** Reads are synchronous: most take less time than a trip through the thread pool would. */
export function openBlockFile(path: string, blockCount = 256): BlockFile {
  const fd = openSync(path, 'r')
  const sizeBytes = fstatSync(fd).size
  const cache = Buffer.alloc(blockCount * BLOCK_BYTES)
  // Direct-mapped, a block has one slot it can be in: an LRU costs more than the reads it saves.
  const blockOfSlot = new Float64Array(blockCount).fill(-1)

  /** Where in the cache the byte at `offset` is, once its block has been read. */
  const cachedAt = (offset: number): number => {
    if (!(offset >= 0 && offset < sizeBytes)) {
      throw new RangeError(`offset ${offset} is outside of the file`)
    }
    const block = Math.floor(offset / BLOCK_BYTES)
    const slot = block % blockCount
    if (blockOfSlot[slot] !== block) load(block, slot)
    return slot * BLOCK_BYTES + (offset % BLOCK_BYTES)
  }

  const load = (block: number, slot: number): void => {
    blockOfSlot[slot] = -1
    const start = block * BLOCK_BYTES
    const lengthBytes = Math.min(BLOCK_BYTES, sizeBytes - start)
    const readBytes = readSync(fd, cache, slot * BLOCK_BYTES, lengthBytes, start)
    if (readBytes !== lengthBytes) throw new RangeError('the file has become shorter')
    blockOfSlot[slot] = block
  }

  const byteAt = (offset: number): number => cache[cachedAt(offset)] ?? 0

  return {
    sizeBytes,
    byteAt,
    uintAt(offset, lengthBytes) {
      let value = 0
      for (let index = 0; index < lengthBytes; index++) value = value * 256 + byteAt(offset + index)
      return value
    },
    textAt(offset, lengthBytes) {
      if ((offset % BLOCK_BYTES) + lengthBytes <= BLOCK_BYTES && lengthBytes > 0) {
        const start = cachedAt(offset)
        cachedAt(offset + lengthBytes - 1)
        return cache.toString('utf8', start, start + lengthBytes)
      }
      return Buffer.from(
        Array.from({ length: lengthBytes }, (_, i) => byteAt(offset + i)),
      ).toString()
    },
    close: () => closeSync(fd),
  }
}
