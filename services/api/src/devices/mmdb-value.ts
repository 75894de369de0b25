import type { BlockFile } from './block-file.ts'

/**
 * The value at `start` of the data section or the metadata of a MaxMind DB; pointers count from
 * `base`. Maps are of type Map. Kinds that no place needs (bytes, floats, signed or huge integers)
 * read as null.
 */
export function decodeMmdbValue(file: BlockFile, base: number, start: number): unknown {
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

  const map = (size: number): Map<unknown, unknown> => {
    const fields = new Map<unknown, unknown>()
    for (let left = size; left > 0; left--) fields.set(value(), value())
    return fields
  }

  return value()
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

// No record of a database of places comes near these. A damaged length or a circle of pointers
// does, and would cost memory and time without end.
const MAX_VALUES = 1024
const MAX_TEXT_BYTES = 1024

/** What the first value of each width of pointer and of size stands for, by its count of bytes. */
const POINTER_START = [0, 0, 2048, 526_336, 0]
const SIZE_START = [0, 29, 285, 65_821]
