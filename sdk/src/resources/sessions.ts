import { cursorPages, LIST, type Pages } from '../client/pages.ts'
import type { CreateOptions, RequestOptions } from '../client/request-options.ts'
import { toQuery } from '../client/route.ts'
import type { Transport } from '../client/transport.ts'
import type {
  CreateSessionParams,
  ListSessionsParams,
  RefreshSessionParams,
  RevokeSessionParams,
  RevokeSessionsResult,
  Session,
  SessionTokens,
  UpdateSessionParams,
} from '../generated/model.ts'
import { checkRevokeAll, type RevokeAllParams } from './revoke-all.ts'
import { readVerification, type TokenVerification } from './token-verification.ts'

const SESSION = ['id', 'userId', 'status'] as const
const TOKENS = ['session', 'accessToken', 'refreshToken'] as const

/** Sessions: one signed-in period of one user on one device. */
export class Sessions {
  readonly #send: Transport

  /** @internal */
  constructor(send: Transport) {
    this.#send = send
  }

  /** Begins a session for a user who has just signed in. */
  async create(params: CreateSessionParams, options?: CreateOptions): Promise<SessionTokens> {
    return this.#send('POST /v1/sessions', { body: params, options, answers: TOKENS })
  }

  /** @throws NotFoundError */
  async get(sessionId: string, options?: RequestOptions): Promise<Session> {
    const path = { sessionId }
    return this.#send('GET /v1/sessions/{sessionId}', { path, options, answers: SESSION })
  }

  /**
   * Sessions, newest first; active ones unless `status` says otherwise.
   *
   * @throws TypeError where a filter is there without a value: leave it out to see everyone's.
   */
  list(params: ListSessionsParams = {}, options?: RequestOptions): Pages<Session> {
    toQuery(params)
    return cursorPages(position => {
      const query = { ...params, ...position }
      return this.#send('GET /v1/sessions', { query, options, answers: LIST })
    })
  }

  /**
   * Changes metadata (as a whole), role or organisation of an active session. Tokens that were
   * issued already keep theirs until the next refresh.
   *
   * @throws NotFoundError, or ConflictError where the session has ended.
   */
  async update(
    sessionId: string,
    params: UpdateSessionParams,
    options?: RequestOptions,
  ): Promise<Session> {
    const call = { path: { sessionId }, body: params, options, answers: SESSION }
    return this.#send('PATCH /v1/sessions/{sessionId}', call)
  }

  /**
   * Ends a session. Once this resolves it is refused everywhere; that it had ended before is no error.
   *
   * @throws NotFoundError
   */
  async revoke(
    sessionId: string,
    params?: RevokeSessionParams,
    options?: RequestOptions,
  ): Promise<void> {
    const call = { path: { sessionId }, ...(params && { query: params }), options }
    return this.#send('DELETE /v1/sessions/{sessionId}', call)
  }

  /**
   * Ends all sessions of a user, an organisation or an app, or with `{ all: true }` of the tenant.
   * Once this resolves they are refused everywhere. Sessions that begin after the call stay, also when
   * an answer was lost on the way and the call was repeated.
   *
   * @throws TypeError without a filter or with one that has no value, before anything is sent.
   */
  async revokeAll(params: RevokeAllParams, options?: CreateOptions): Promise<RevokeSessionsResult> {
    const query = checkRevokeAll(params)
    return this.#send('DELETE /v1/sessions', { query, options, answers: ['revoked'] })
  }

  /**
   * Whether an access token is good at this moment, by the service itself. A token that is not good is
   * no error: look at `valid`.
   */
  async verify(token: string, options?: RequestOptions): Promise<TokenVerification> {
    if (typeof token !== 'string') throw new TypeError('the access token is no string')
    const call = { body: { token }, options, answers: ['valid'] as const }
    return readVerification(await this.#send('POST /v1/sessions/verify', call))
  }

  /**
   * Trades a refresh token for new tokens. Repeating it is safe for `refresh_grace_seconds`.
   *
   * @throws AuthenticationError with `code` `refresh_token_invalid` or, for a stolen token,
   *   `refresh_token_reuse`: the user has to sign in again.
   */
  async refresh(params: RefreshSessionParams, options?: RequestOptions): Promise<SessionTokens> {
    return this.#send('POST /v1/sessions/refresh', { body: params, options, answers: TOKENS })
  }
}
