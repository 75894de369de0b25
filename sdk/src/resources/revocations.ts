import type { EventStreams } from '../client/event-stream.ts'
import { checkPage, Pages } from '../client/pages.ts'
import type { RequestOptions } from '../client/request-options.ts'
import { toQuery } from '../client/route.ts'
import type { Transport } from '../client/transport.ts'
import type {
  ListRevocationsParams,
  ListRevocationsResult,
  Revocation,
} from '../generated/model.ts'
import { type RevocationEvent, readRevocationEvent } from './revocation-events.ts'

/** One page of the feed. */
export type RevocationPage = Omit<ListRevocationsResult, 'object'>

/** The feed of revocations. `createVerifier` follows it for you: this is for other uses. */
export class Revocations {
  readonly #send: Transport
  readonly #streams: EventStreams

  /** @internal */
  constructor(send: Transport, streams: EventStreams) {
    this.#send = send
    this.#streams = streams
  }

  /**
   * What was revoked, in order, after the entry with `seq` `after`; without it all that still matters.
   * `nextAfter` of the last page is where to go on the next time.
   */
  list(
    params: ListRevocationsParams = {},
    options?: RequestOptions,
  ): Pages<Revocation, RevocationPage> {
    toQuery(params)
    const answers = ['data', 'hasMore', 'nextAfter', 'reset'] as const
    return new Pages<Revocation, RevocationPage>({
      load: async after => {
        const query = { ...params, ...(typeof after === 'number' && { after }) }
        return checkPage(await this.#send('GET /v1/revocations', { query, options, answers }))
      },
      next: ({ hasMore, nextAfter }) => (hasMore ? nextAfter : null),
    })
  }

  /**
   * What was revoked, as it happens: first what came after the entry with `seq` `after` (without it all
   * that still matters), then `synced`, then the rest. It holds one connection open and comes back by
   * itself when that breaks, as often as it takes; after that a part may come twice. It ends when the
   * loop is left, by `signal`, or with the error of a service that refuses the key.
   */
  async *stream(
    { after }: Pick<ListRevocationsParams, 'after'> = {},
    options?: RequestOptions,
  ): AsyncGenerator<RevocationEvent, void, undefined> {
    if (after !== undefined && !(Number.isSafeInteger(after) && after >= 0))
      throw new TypeError('after is the seq of an entry')
    const lastEventId = after === undefined ? null : String(after)
    for await (const event of this.#streams('GET /v1/revocations/stream', {
      lastEventId,
      options,
    })) {
      const revocation = readRevocationEvent(event)
      if (revocation !== null) yield revocation
    }
  }
}
