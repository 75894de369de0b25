import { type BlockFile, openBlockFile } from './block-file.ts'

/**
 * Reads the MaxMind DB format, version 2 (https://maxmind.github.io/MaxMind-DB/), by offset. The
 * libraries want the whole file in one buffer, which for a city database is most of our memory.
 */
export interface MmdbReader {
  /** 4 or 6. An address of the other kind is not found. */
  readonly ipVersion: number
  /** The record of an address of 4 or 16 bytes. Throws when the file is damaged there. */
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
        return dataOffset === null ? null : decodeAt(file, dataStart, dataStart + dataOffset)
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
  const metadata = decodeAt(file, start, start)
  const fields = typeof metadata === 'object' && metadata !== null ? metadata : {}
  const { nodeCount, recordBits, ipVersion, formatVersion } = {
    nodeCount: numberIn(fields, 'node_count'),
    recordBits: numberIn(fields, 'record_size'),
    ipVersion: numberIn(fields, 'ip_version'),
    formatVersion: numberIn(fields, 'binary_format_major_version'),
  }
  const sizeBytes = (nodeCount * recordBits) / 4
  const isKnown =
    formatVersion === 2 && [24, 28, 32].includes(recordBits) && [4, 6].includes(ipVersion)
  if (!isKnown || sizeBytes + DATA_SEPARATOR_BYTES > start) {
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

function numberIn(fields: object, name: string): number {
  const value: unknown = Reflect.get(fields, name)
  return typeof value === 'number' ? value : Number.NaN
}

/** The offset in the data section, or null where the database knows nothing. */
function findData(file: BlockFile, tree: Tree, address: Uint8Array): number | null {
  let node = 0
  for (let bit = 0; bit < address.length * 8; bit++) {
    const side = ((address[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1
    node = recordAt(file, tree, node, side)
    if (node === tree.nodeCount) return null
    if (node > tree.nodeCount) return node - tree.nodeCount - DATA_SEPARATOR_BYTES
  }
  throw new Error('the tree of the database is deeper than an address')
}

function recordAt(file: BlockFile, tree: Tree, node: number, side: number): number {
  const offset = (node * tree.recordBits) / 4
  if (tree.recordBits === 28) {
    // The middle byte holds the highest four bits of both: left in its upper half, right in its lower.
    const middle = file.byteAt(offset + 3)
    const high = side === 0 ? middle >> 4 : middle & 0x0f
    return high * 2 ** 24 + file.uintAt(offset + side * 4, 3)
  }
  const recordBytes = tree.recordBits / 8
  return file.uintAt(offset + side * recordBytes, recordBytes)
}

const TYPE = {
  extended: 0,
  pointer: 1,
  text: 2,
  uint16: 5,
  uint32: 6,
  map: 7,
  uint64: 9,
  array: 11,
  boolean: 14,
}

// No record of a database of places comes near these. A damaged length or a circle of pointers does,
// and would cost memory and time without end.
const MAX_VALUES = 1024
const MAX_TEXT_BYTES = 1024

/** The value at `start`. Pointers count from `base`. Kinds that no place needs read as null. */
function decodeAt(file: BlockFile, base: number, start: number): unknown {
  let at = start
  let valuesLeft = MAX_VALUES

  const value = (): unknown => {
    valuesLeft -= 1
    if (valuesLeft < 0) throw new Error('a record of the database has no end')
    const control = file.byteAt(at++)
    let type = control >> 5
    if (type === TYPE.pointer) return pointed(control)
    if (type === TYPE.extended) type = 7 + file.byteAt(at++)
    return ofType(type, sizeOf(control))
  }

  const pointed = (control: number): unknown => {
    const extraBytes = ((control >> 3) & 3) + 1
    const low = file.uintAt(at, extraBytes)
    const high = extraBytes === 4 ? 0 : (control & 7) * 2 ** (8 * extraBytes)
    const next = at + extraBytes
    at = base + high + low + (POINTER_START[extraBytes] ?? 0)
    const target = value()
    at = next
    return target
  }

  const sizeOf = (control: number): number => {
    const size = control & 0x1f
    if (size < 29) return size
    const extraBytes = size - 28
    const extra = file.uintAt(at, extraBytes)
    at += extraBytes
    return extra + (SIZE_START[extraBytes] ?? 0)
  }

  const ofType = (type: number, size: number): unknown => {
    if (type === TYPE.map) return map(size)
    if (type === TYPE.array) return items(size)
    if (type === TYPE.boolean) return size !== 0
    const from = at
    at += size
    if (type === TYPE.text && size <= MAX_TEXT_BYTES) return file.textAt(from, size)
    const isUint = type === TYPE.uint16 || type === TYPE.uint32 || type === TYPE.uint64
    return isUint && size <= 6 ? file.uintAt(from, size) : null
  }

  const items = (size: number): unknown[] => {
    if (size > valuesLeft) throw new Error('a record of the database is too large')
    return Array.from({ length: size }, value)
  }

  const map = (size: number): object => {
    const fields: Record<string, unknown> = {}
    for (let left = Math.min(size, valuesLeft + 1); left > 0; left--) {
      const name = value()
      fields[String(name)] = value()
    }
    return fields
  }

  return value()
}

/** What the first value of each width of pointer and of size stands for, by its count of bytes. */
const POINTER_START = [0, 0, 2048, 526_336, 0]
const SIZE_START = [0, 29, 285, 65_821]
