import type { Answer, Caller } from './test-app.ts'

/** Every item of a list, page by page to the end. */
export async function walkPages(
  caller: Caller,
  path: string,
  query: Record<string, string> = {},
): Promise<Answer['body'][]> {
  const items: Answer['body'][] = []
  let cursor: string | null = null
  do {
    const page: Answer = await caller.call('GET', path, {
      query: { ...query, ...(cursor !== null && { cursor }) },
    })
    if (page.status !== 200) throw new Error(`a page of ${path} answered ${page.status}`)
    items.push(...page.body.data)
    if (page.body.has_more !== (page.body.next_cursor !== null))
      throw new Error('has_more and next_cursor disagree')
    cursor = page.body.next_cursor
  } while (cursor !== null)
  return items
}
