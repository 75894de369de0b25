import { expect, it } from 'vitest'
import { createFeedStreams } from './feed-streams.ts'
import { createRevocationFeed } from './revocation-feed.ts'

const text = (value: Uint8Array | undefined): string => new TextDecoder().decode(value)

it('says that an entry is known only when every reader has come back for more', async () => {
  const feed = createRevocationFeed()
  const streams = createFeedStreams(feed)
  const readers = [1, 2].map(() => streams.open(0, null).getReader())
  for (const reader of readers) expect(text((await reader.read()).value)).toContain('synced')

  const order: string[] = []
  const delivered = streams
    .deliver(feed.append({ type: 'session_revoked', session_id: 'ses_1' }))
    .then(() => order.push('delivered'))
  for (const reader of readers) {
    expect(text((await reader.read()).value)).toContain('ses_1')
    // What a reader does with it takes its time.
    await new Promise(resolve => setImmediate(resolve))
    order.push('read')
    void reader.read()
  }
  await delivered
  expect(order).toEqual(['read', 'read', 'delivered'])
  streams.end('closed')
})

it('catches up with what was missed, and begins again for who knows too much', async () => {
  const feed = createRevocationFeed()
  const streams = createFeedStreams(feed)
  for (const id of ['ses_1', 'ses_2']) feed.append({ type: 'session_revoked', session_id: id })
  const begin = async (after: number) => {
    const reader = streams.open(after, null).getReader()
    const { value } = await reader.read()
    await reader.cancel()
    return text(value)
  }
  expect((await begin(1)).match(/ses_\d/g)).toEqual(['ses_2'])
  expect(await begin(2)).not.toContain('ses_')
  expect(await begin(9)).toMatch(/event: reset[\s\S]*ses_1[\s\S]*ses_2[\s\S]*event: synced\nid: 2/)
})
