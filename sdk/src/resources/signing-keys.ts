import { cursorPages, LIST, type Pages } from '../client/pages.ts'
import type { CreateOptions, RequestOptions } from '../client/request-options.ts'
import type { Transport } from '../client/transport.ts'
import type { RevokeSigningKeyParams, SigningKey } from '../generated/model.ts'

/** The keys that sign the tenant's access tokens: their public halves. */
export class SigningKeys {
  readonly #send: Transport

  /** @internal */
  constructor(send: Transport) {
    this.#send = send
  }

  /** All signing keys, newest first. */
  list(options?: RequestOptions): Pages<SigningKey> {
    return cursorPages(() => this.#send('GET /v1/signing-keys', { options, answers: LIST }))
  }

  /** Lets the next key take over, as soon as no JWK set without it can still be cached. */
  async rotate(options?: CreateOptions): Promise<SigningKey> {
    const answers = ['kid', 'status'] as const
    return this.#send('POST /v1/signing-keys/rotate', { options, answers })
  }

  /** For an emergency: every token that the key signed is refused once this resolves. */
  async revoke(
    kid: string,
    params?: RevokeSigningKeyParams,
    options?: RequestOptions,
  ): Promise<void> {
    const call = { path: { kid }, ...(params && { query: params }), options }
    return this.#send('DELETE /v1/signing-keys/{kid}', call)
  }
}
