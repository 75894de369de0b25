import { InvalidResponseError } from '../errors.ts'

/** One page of a list. */
export interface Page<Item> {
  data: Item[]
  hasMore: boolean
  /** For the next page; null on the last one. */
  nextCursor: string | null
}

/** How to get a page, and from one page to the next. */
export interface Paging<Item, P extends { data: Item[] }, Position> {
  load: (position?: Position) => Promise<P>
  /** Where the next page begins; null after the last. */
  next: (page: P) => Position | null
}

/**
 * A list that has not been asked for yet: `for await` over it reads page by page, each when it is
 * needed; `page()` reads one.
 */
export class Pages<Item, P extends { data: Item[] } = Page<Item>> implements AsyncIterable<Item> {
  readonly #page: () => Promise<P>
  readonly #items: () => AsyncGenerator<Item, void, undefined>

  /** @internal */
  constructor(paging: Paging<Item, P, unknown>) {
    this.#page = () => paging.load()
    this.#items = () => itemsOf(paging)
  }

  /** The page where `cursor` points, or the first one. */
  page(): Promise<P> {
    return this.#page()
  }

  [Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    return this.#items()
  }
}

async function* itemsOf<Item, P extends { data: Item[] }>({
  load,
  next,
}: Paging<Item, P, unknown>): AsyncGenerator<Item, void, undefined> {
  let page = await load()
  for (;;) {
    yield* page.data
    const position = next(page)
    if (position === null) return
    page = await load(position)
    // A service that sends its callers in circles would be asked for ever.
    if (next(page) === position) throw invalidPage('goes on from where it was')
  }
}

/** The fields of a page by cursor. */
export const LIST = ['data', 'hasMore', 'nextCursor'] as const

/** A list by cursor, as all but the revocations are. */
export const cursorPages = <Item>(
  load: (position: { cursor: string } | undefined) => Promise<Page<Item>>,
): Pages<Item> =>
  new Pages({
    load: async position =>
      checkPage(await load(typeof position === 'string' ? { cursor: position } : undefined)),
    next: ({ hasMore, nextCursor }) => {
      // A list must not end early without a word: what is not in it may be what mattered.
      if (hasMore && typeof nextCursor !== 'string') throw invalidPage('has more, but no cursor')
      return hasMore ? nextCursor : null
    },
  })

/** @throws InvalidResponseError for what cannot be read as a page. */
export function checkPage<P extends { data: unknown[]; hasMore: boolean }>(page: P): P {
  if (!Array.isArray(page.data) || typeof page.hasMore !== 'boolean') throw invalidPage('is none')
  return page
}

const invalidPage = (fault: string): InvalidResponseError =>
  new InvalidResponseError(`The list ${fault}`, { code: 'response_invalid' })
