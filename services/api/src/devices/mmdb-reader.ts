import { type BlockFile, openBlockFile } from './block-file.ts'
import { decodeMmdbValue } from './mmdb-value.ts'

/**
 * Reads the MaxMind DB format, version 2 (https://maxmind.github.io/MaxMind-DB/), by offset. The
 * libraries want the whole file in one buffer, which for a city database is most of our memory.
 */
export interface MmdbReader {
  /** 4 or 6. An address of the other kind is not found. */
  readonly ipVersion: number
  /** The record of an address of 4 or 16 bytes, or null. Throws where the file is damaged. */
  find(address: Uint8Array): unknown
  close(): void
}

/** Throws when there is no such file or it is not of this format. */
export function openMmdb(path: string): MmdbReader {
  const file = openBlockFile(path)
  try {
    const tree = readTree(file)
    const dataStart = tree.sizeBytes + DATA_SEPARATOR_BYTES
    return {
      ipVersion: tree.ipVersion,
      find(address) {
        if (address.length !== (tree.ipVersion === 4 ? 4 : 16)) return null
        const dataOffset = findData(file, tree, address)
        return dataOffset === null ? null : decodeMmdbValue(file, dataStart, dataStart + dataOffset)
      },
      close: file.close,
    }
  } catch (error) {
    file.close()
    throw error
  }
}

/** The binary search tree at the start of the file: nodes of two records, one for each bit. */
interface Tree {
  ipVersion: number
  nodeCount: number
  recordBits: number
  sizeBytes: number
}

const METADATA_MARKER = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1')
const METADATA_MAX_BYTES = 128 * 1024
const DATA_SEPARATOR_BYTES = 16

function readTree(file: BlockFile): Tree {
  const start = findMetadata(file)
  const metadata = decodeMmdbValue(file, start, start)
  const numberOf = (name: string): number => {
    const value = metadata instanceof Map ? metadata.get(name) : null
    return typeof value === 'number' ? value : Number.NaN
  }
  const nodeCount = numberOf('node_count')
  const recordBits = numberOf('record_size')
  const ipVersion = numberOf('ip_version')
  const formatVersion = numberOf('binary_format_major_version')
  const sizeBytes = (nodeCount * recordBits) / 4
  const isKnown =
    formatVersion === 2 && [24, 28, 32].includes(recordBits) && [4, 6].includes(ipVersion)
  if (!isKnown || !(sizeBytes + DATA_SEPARATOR_BYTES <= start - METADATA_MARKER.length)) {
    throw new Error('the metadata of the database is damaged')
  }
  return { ipVersion, nodeCount, recordBits, sizeBytes }
}

function findMetadata(file: BlockFile): number {
  const tailStart = Math.max(0, file.sizeBytes - METADATA_MAX_BYTES)
  for (let offset = file.sizeBytes - METADATA_MARKER.length; offset >= tailStart; offset--) {
    if (METADATA_MARKER.every((byte, index) => file.byteAt(offset + index) === byte)) {
      return offset + METADATA_MARKER.length
    }
  }
  throw new Error('the file is not a MaxMind database, or it is cut short')
}

/** The offset in the data section, or null where the database knows nothing. */
function findData(file: BlockFile, tree: Tree, address: Uint8Array): number | null {
  let node = 0
  for (let bit = 0; bit < address.length * 8; bit++) {
    const side = ((address[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1
    node = recordAt(file, tree, node, side)
    if (node === tree.nodeCount) return null
    if (node > tree.nodeCount) {
      const dataOffset = node - tree.nodeCount - DATA_SEPARATOR_BYTES
      if (dataOffset < 0) throw new Error('a record of the tree points outside of the data')
      return dataOffset
    }
  }
  throw new Error('the tree of the database is deeper than an address')
}

function recordAt(file: BlockFile, tree: Tree, node: number, side: number): number {
  const offset = (node * tree.recordBits) / 4
  if (tree.recordBits === 28) {
    // The middle byte holds the highest four bits of both: the left one's above the right one's.
    const middle = file.byteAt(offset + 3)
    const high = side === 0 ? middle >> 4 : middle & 0x0f
    return high * 2 ** 24 + file.uintAt(offset + side * 4, 3)
  }
  const recordBytes = tree.recordBits / 8
  return file.uintAt(offset + side * recordBytes, recordBytes)
}
