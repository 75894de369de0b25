import { expect, it } from 'vitest'
import { createFeedStream } from './feed-stream.ts'

const create = () => createFeedStream({ tenantId: 'tnt_a', after: 0, untilMs: Infinity })
const MEGABYTE = Buffer.alloc(1024 * 1024 + 1)

it('drops a reader that is too far behind, rather than keep all for it', () => {
  const stream = create()
  stream.write(MEGABYTE)
  expect(stream.isOpen).toBe(true)
  stream.write(Buffer.from('more'))
  expect(stream.isOpen).toBe(false)
  expect(stream.out.destroyed).toBe(true)
})

it('keeps a reader that takes all, however much there is', () => {
  const stream = create()
  stream.out.resume()
  for (let n = 0; n < 20; n++) {
    stream.write(MEGABYTE)
    while (stream.out.read() !== null);
  }
  expect(stream.isOpen).toBe(true)
  stream.end()
})

it('drops one that takes nothing for three heartbeats, and not one that takes something', () => {
  const [stuck, slow] = [create(), create()]
  for (const stream of [stuck, slow]) stream.write(Buffer.alloc(1_000))
  for (let beat = 0; beat < 5; beat++) {
    slow.out.read(10)
    for (const stream of [stuck, slow]) stream.dropIfStuck()
  }
  expect([stuck.isOpen, slow.isOpen]).toEqual([false, true])
  slow.out.destroy()
})

it('makes who fills it wait until the reader has taken what is there', async () => {
  const stream = create()
  stream.write(MEGABYTE)
  let hasRoom = false
  const waiting = stream.room().then(() => (hasRoom = true))
  await new Promise(resolve => setImmediate(resolve))
  expect(hasRoom).toBe(false)
  while (stream.out.read() !== null);
  await waiting
  stream.end()
})
