import { cursorPages, LIST, type Pages } from '../client/pages.ts'
import type { RequestOptions } from '../client/request-options.ts'
import { toQuery } from '../client/route.ts'
import type { Transport } from '../client/transport.ts'
import type { Event, ListEventsParams } from '../generated/model.ts'

/** The audit trail. Needs a key with the scope `events:read`. */
export class Events {
  readonly #send: Transport

  /** @internal */
  constructor(send: Transport) {
    this.#send = send
  }

  /**
   * What happened, newest first.
   *
   * @throws TypeError where a filter is there without a value: leave it out to see everything.
   */
  list(params: ListEventsParams = {}, options?: RequestOptions): Pages<Event> {
    toQuery(params)
    return cursorPages(position => {
      const query = { ...params, ...position }
      return this.#send('GET /v1/events', { query, options, answers: LIST })
    })
  }
}
