import { cursorPages, LIST, type Pages } from '../client/pages.ts'
import type { CreateOptions, RequestOptions } from '../client/request-options.ts'
import { toQuery } from '../client/route.ts'
import type { Transport } from '../client/transport.ts'
import type {
  ApiKey,
  ApiKeyWithSecret,
  CreateApiKeyParams,
  ListApiKeysParams,
  RotateApiKeyParams,
} from '../generated/model.ts'

const WITH_SECRET = ['id', 'secret'] as const

/** API keys of the tenant. Needs a key with the scope `keys:write`. */
export class ApiKeys {
  readonly #send: Transport

  /** @internal */
  constructor(send: Transport) {
    this.#send = send
  }

  /** Makes a key; its `secret` is shown here and never again. */
  async create(params: CreateApiKeyParams, options?: CreateOptions): Promise<ApiKeyWithSecret> {
    return this.#send('POST /v1/api-keys', { body: params, options, answers: WITH_SECRET })
  }

  /** All keys, newest first, without their secrets. */
  list(params: ListApiKeysParams = {}, options?: RequestOptions): Pages<ApiKey> {
    toQuery(params)
    return cursorPages(position => {
      const query = { ...params, ...position }
      return this.#send('GET /v1/api-keys', { query, options, answers: LIST })
    })
  }

  /** Gives a key a new `secret`. The one from before works on for `overlapSeconds`, default 0. */
  async rotate(
    apiKeyId: string,
    params: RotateApiKeyParams = {},
    options?: CreateOptions,
  ): Promise<ApiKeyWithSecret> {
    const call = { path: { apiKeyId }, body: params, options, answers: WITH_SECRET }
    return this.#send('POST /v1/api-keys/{apiKeyId}/rotate', call)
  }

  /** Ends a key: refused everywhere once this resolves; that it had ended before is no error. */
  async revoke(apiKeyId: string, options?: RequestOptions): Promise<void> {
    return this.#send('DELETE /v1/api-keys/{apiKeyId}', { path: { apiKeyId }, options })
  }
}
