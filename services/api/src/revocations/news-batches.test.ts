import { describe, expect, it } from 'vitest'
import { createNewsBatches } from './news-batches.ts'
import type { FeedLine } from './revocations.store.ts'

const line = (seq: number): FeedLine => ({
  tenantId: 'tnt_a',
  seq,
  kind: 'session',
  sessionId: `ses_${seq}`,
  userId: null,
  orgId: null,
  appId: null,
  exceptSessionId: null,
  generation: null,
  revokedBy: 'key_1',
  createdAt: new Date(),
  forgetAfter: new Date(Date.now() + 900_000),
})
const page = [line(1), line(2), line(3)]
const answer = { tenantId: 'tnt_a', head: 9, lines: page }

describe('an answer that was cut at the page', () => {
  const batches = createNewsBatches(answer, page.length)

  it('leaves a stream that stands beyond it where it is: what comes next was not read', () => {
    expect(batches.after(7)).toMatchObject({ seq: 7, isWhole: false, isLast: false })
    expect(batches.after(7).bytes).toHaveLength(0)
  })

  it('brings the others as far as it goes', () => {
    expect(batches.after(1)).toMatchObject({ seq: 3, isWhole: false })
    expect(batches.after(3)).toMatchObject({ seq: 3, isWhole: false })
  })
})

it('an answer with room left tells all there is, also where the last lines are forgotten', () => {
  const batches = createNewsBatches(answer, page.length + 1)
  expect(batches.after(1)).toMatchObject({ seq: 9, isWhole: true })
  expect(batches.after(7)).toMatchObject({ seq: 9, isWhole: true })
})

it('an answer from a log that lost lines ends the stream', () => {
  expect(createNewsBatches(answer, 1_000).after(10).isLast).toBe(true)
  expect(createNewsBatches({ ...answer, head: null, lines: [] }, 1_000).after(0).isLast).toBe(true)
})
