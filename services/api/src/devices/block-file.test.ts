import { truncateSync } from 'node:fs'
import { afterEach, expect, it } from 'vitest'
import { openBlockFile } from './block-file.ts'
import { temporaryFolder } from './tiny-mmdb.ts'

const folder = temporaryFolder()
const content = Buffer.from(Array.from({ length: 20_000 }, (_, index) => (index * 7) % 251))
const path = folder.write('content', content)
const file = openBlockFile(path, 2)

afterEach(() => {
  file.close()
  folder.remove()
})

it('reads what the file holds, with fewer blocks in memory than it has', () => {
  expect(file.sizeBytes).toBe(content.length)
  for (const offset of [0, 19_999, 4095, 4096, 12_288, 1, 8191, 19_999, 0]) {
    expect(file.byteAt(offset)).toBe(content[offset])
  }
  // Both lie across the border of two blocks.
  expect(file.uintAt(4094, 4)).toBe(content.readUInt32BE(4094))
  expect(file.textAt(8190, 5)).toBe(content.toString('utf8', 8190, 8195))
  expect(file.textAt(4096, 0)).toBe('')

  for (const offset of [-1, 20_000, 2 ** 40, Number.NaN]) {
    expect(() => file.byteAt(offset)).toThrow(RangeError)
  }
  expect(() => file.textAt(19_999, 2)).toThrow(RangeError)

  truncateSync(path, 10_000)
  expect(() => file.byteAt(17_000)).toThrow(RangeError)
  expect(() => file.byteAt(17_000)).toThrow(RangeError)
})
