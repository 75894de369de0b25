import { truncateSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type BlockFile, openBlockFile } from './block-file.ts'
import { temporaryFolder } from './tiny-mmdb.ts'

const folder = temporaryFolder()
const content = Buffer.from(Array.from({ length: 20_000 }, (_, index) => (index * 7) % 251))
const path = folder.write('content', content)
let file: BlockFile

beforeAll(() => {
  file = openBlockFile(path, 2)
})
afterAll(() => {
  file.close()
  folder.remove()
})

it('reads what the file holds, though it keeps fewer blocks than the file has', () => {
  expect(file.sizeBytes).toBe(content.length)
  for (const offset of [0, 19_999, 4095, 4096, 12_288, 1, 8191, 19_999, 0]) {
    expect(file.byteAt(offset)).toBe(content[offset])
  }
})

it('reads across the border of two blocks', () => {
  expect(file.uintAt(4094, 4)).toBe(content.readUInt32BE(4094))
  expect(file.textAt(8190, 5)).toBe(content.toString('utf8', 8190, 8195))
})

it('refuses to read outside of the file', () => {
  for (const offset of [-1, 20_000, 2 ** 40, Number.NaN]) {
    expect(() => file.byteAt(offset)).toThrow(RangeError)
    expect(() => file.uintAt(offset, 2)).toThrow(RangeError)
    expect(() => file.textAt(offset, 2)).toThrow(RangeError)
  }
  expect(() => file.textAt(19_999, 2)).toThrow(RangeError)
})

it('refuses to make up what a file lost since it was opened', () => {
  const shrinking = folder.write('shrinking', content)
  const shrunk = openBlockFile(shrinking, 2)
  truncateSync(shrinking, 10_000)
  for (let attempt = 0; attempt < 2; attempt++) {
    expect(() => shrunk.byteAt(17_000)).toThrow(RangeError)
  }
  shrunk.close()
})
