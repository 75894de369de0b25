import { describe, expect, test } from 'vitest'
import { collect } from '../../test/collect.ts'
import { against } from '../../test/test-client.ts'
import { TEST_SESSION } from '../../test/test-keys.ts'
import { type Answerer, sendJson } from '../../test/test-server.ts'
import { InvalidResponseError } from '../errors.ts'

const PAGES = 3

/** Three pages of two sessions. */
const threePages: Answerer = (response, { url }) => {
  const page = Number(new URL(url, 'http://localhost').searchParams.get('cursor') ?? 0)
  const data = [0, 1].map(n => ({ ...TEST_SESSION, id: `ses_${page * 2 + n}` }))
  const isLast = page === PAGES - 1
  sendJson(response, 200, {
    object: 'list',
    data,
    has_more: !isLast,
    next_cursor: isLast ? null : String(page + 1),
  })
}

const cursorsOf = (requests: { url: string }[]) =>
  requests.map(({ url }) => new URL(url, 'http://localhost').searchParams.get('cursor'))

describe('a list', () => {
  test('asks for nothing before somebody reads it', async () => {
    const { sessions, server } = await against(threePages)
    sessions.list({ userId: 'ada' })
    expect(server.requests).toEqual([])
  })

  test('is read to its end, with the filters on each page', async () => {
    const { sessions, server } = await against(threePages)
    const ids: string[] = []
    for await (const { id } of sessions.list({ userId: 'ada', limit: 2 })) ids.push(id)
    expect(ids).toEqual(['ses_0', 'ses_1', 'ses_2', 'ses_3', 'ses_4', 'ses_5'])
    expect(cursorsOf(server.requests)).toEqual([null, '1', '2'])
    for (const { url } of server.requests) expect(url).toContain('user_id=ada&limit=2')
  })

  test('reads no page that nobody needs', async () => {
    const { sessions, server } = await against(threePages)
    for await (const { id } of sessions.list()) if (id === 'ses_2') break
    expect(cursorsOf(server.requests)).toEqual([null, '1'])
  })

  test('can be read twice, and from where a cursor points', async () => {
    const { sessions, server } = await against(threePages)
    const list = sessions.list({ cursor: '1' })
    expect(await collect(list)).toHaveLength(4)
    expect(await collect(list)).toHaveLength(4)
    expect(await list.page()).toMatchObject({ hasMore: true, nextCursor: '2' })
    expect(cursorsOf(server.requests)).toEqual(['1', '2', '1', '2', '1'])
  })

  test('ends with the signal of its call, between pages too', async () => {
    const { sessions, server } = await against(threePages)
    const controller = new AbortController()
    const reason = new Error('enough')
    const read = async () => {
      for await (const _ of sessions.list({}, { signal: controller.signal }))
        controller.abort(reason)
    }
    await expect(read()).rejects.toBe(reason)
    expect(server.requests).toHaveLength(1)
  })

  test('survives a failure on a later page', async () => {
    const { sessions } = await against((response, request, n) =>
      n === 1 ? response.destroy() : threePages(response, request, n),
    )
    expect(await collect(sessions.list())).toHaveLength(6)
  })
})

describe('a filter without a value is refused at once', () => {
  test.each([
    { userId: undefined },
    { orgId: undefined },
    { appId: '' },
    { deviceId: null },
    { userId: 'ada', orgId: undefined },
  ])('%o', async params => {
    const { sessions, server } = await against(threePages)
    expect(() => sessions.list(params as object)).toThrow(TypeError)
    expect(server.requests).toEqual([])
  })
})

describe('a list that cannot be right is an error, never a list that ends early or not at all', () => {
  const page = { object: 'list', data: [TEST_SESSION], has_more: true, next_cursor: '1' }
  test.each([
    ['more, but no cursor', { ...page, next_cursor: null }],
    ['the same page again and again', page],
    ['items that are no list', { ...page, data: { 0: TEST_SESSION } }],
    ['has_more that is no yes or no', { ...page, has_more: 'false' }],
    ['no items', { ...page, data: undefined }],
  ])('%s', async (_, body) => {
    const { sessions } = await against(response => sendJson(response, 200, body))
    await expect(collect(sessions.list())).rejects.toThrow(InvalidResponseError)
  })
})
