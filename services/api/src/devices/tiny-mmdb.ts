import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** For tests: a database of one node, where every address has the record given. */
export interface TinyMmdb {
  ipVersion?: 4 | 6
  recordBits?: 24 | 28 | 32
  data: Buffer
}

export function tinyMmdb({ ipVersion = 4, recordBits = 24, data }: TinyMmdb): Buffer {
  const metadata = mapOf({
    binary_format_major_version: uint16(2),
    ip_version: uint16(ipVersion),
    node_count: uint16(1),
    record_size: uint16(recordBits),
  })
  // One node and the separator of 16 bytes come before the data.
  const record = (1 + 16).toString(16).padStart(recordBits / 4, '0')
  const halves = recordBits === 28 ? [record.slice(1), '00', record.slice(1)] : [record, record]
  const tree = Buffer.from(halves.join(''), 'hex')
  const marker = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1')
  return Buffer.concat([tree, Buffer.alloc(16), data, marker, metadata])
}

export const text = (value: string): Buffer => {
  const bytes = Buffer.from(value)
  const size = bytes.length
  const isShort = size < 29
  return Buffer.concat([Buffer.from(isShort ? [0x40 | size] : sizeBytes(size)), bytes])
}

export const mapOf = (fields: Record<string, Buffer>): Buffer => {
  const entries = Object.entries(fields)
  return Buffer.concat([
    Buffer.of(0xe0 | entries.length),
    ...entries.flatMap(([name, value]) => [text(name), value]),
  ])
}

/** A folder that a test writes files into, and what removes it. */
export function temporaryFolder(): {
  write: (name: string, bytes: Buffer) => string
  remove(): void
} {
  const folder = mkdtempSync(join(tmpdir(), 'sesame-devices-'))
  return {
    write(name, bytes) {
      const path = join(folder, name)
      writeFileSync(path, bytes)
      return path
    },
    remove: () => rmSync(folder, { recursive: true }),
  }
}

const uint16 = (value: number): Buffer => Buffer.of(0xa2, value >> 8, value & 0xff)

function sizeBytes(size: number): number[] {
  if (size < 285) return [0x5d, size - 29]
  return [0x5e, (size - 285) >> 8, (size - 285) & 0xff]
}
