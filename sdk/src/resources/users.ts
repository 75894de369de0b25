import type { CreateOptions } from '../client/request-options.ts'
import type { Transport } from '../client/transport.ts'
import type { DeleteUserSessionsParams, Erasure } from '../generated/model.ts'

export type EraseUserParams = Omit<DeleteUserSessionsParams, 'erase'>

/** Users, of whom Sesame knows nothing but their sessions and events. */
export class Users {
  readonly #send: Transport

  /** @internal */
  constructor(send: Transport) {
    this.#send = send
  }

  /**
   * Ends all sessions of a user and removes every personal datum: it cannot be taken back. To end them
   * only, call `sessions.revokeAll({ userId })`. A user who signs in again after the call, also while it
   * is repeated, has a new session that stays.
   *
   * @returns with `status` `running` where so much is to be removed that the service goes on with it.
   */
  async erase(
    userId: string,
    params: EraseUserParams = {},
    options?: CreateOptions,
  ): Promise<Erasure> {
    const query = { ...params, erase: true }
    const call = { path: { userId }, query, options, answers: ['id', 'status'] as const }
    // The route has another answer for who does not erase; `answers` refuses that one.
    return (await this.#send('DELETE /v1/users/{userId}/sessions', call)) as Erasure
  }
}
