import { createLocalVerifier } from './local-verifier.ts'
import { systemRuntime } from './runtime.ts'
import { readSettings } from './settings.ts'
import type { Verification, VerifiedSession } from './verification.ts'

/** What `createVerifier` takes. */
export interface VerifierOptions {
  /** The `iss` of your tenant's tokens: `https://…/t/tnt_…`. */
  issuer: string
  /** The `aud` of your tenant's tokens. Default: the tenant id at the end of `issuer`. */
  audience?: string
  /** Follows the feed of revocations. Without it a revocation is learned when the token expires. */
  revocations?: {
    /**
     * A key with the scopes `revocations:read` and, to ask when stale or about a session whose role
     * or organisation changed, `sessions:verify`; for `onRevoked` with no more than an id, or where
     * the organisation changed, `sessions:read` too. Refused in a browser.
     */
    secretKey: string
  }
  /** How long the feed may be silent before `onStale` counts, in milliseconds. Default 15,000. */
  maxStaleness?: number
  /**
   * Beyond that: `ask` the API about each token (default), `refuse` with `revocations_stale`, or
   * `accept` what the token says and what was known before. It counts too where the API can't be
   * asked about a session that changed.
   */
  onStale?: 'ask' | 'refuse' | 'accept'
  /** Where the API is. Default: `issuer` without `/t/tnt_…`. */
  baseUrl?: string
  /** Where the JWK set is. Default: `{issuer}/.well-known/jwks.json`. */
  jwksUri?: string
  /** For one call to the service, in milliseconds. Default 5,000. */
  timeoutMs?: number
  /** Default: the global one. */
  fetch?: typeof globalThis.fetch
}

/** How a verifier stands; made for a health check or a metric. */
export interface VerifierStatus {
  /** The moment up to which every revocation is known; null before the first answer or with no feed. */
  freshAsOf: Date | null
  /** Revocations, and changes of sessions, that are held. */
  entries: number
  /** Memory that they take, in bytes. */
  bytes: number
  feed: 'off' | 'connecting' | 'streaming' | 'polling' | 'closed'
  /** Whether `onStale` decides now. False with no feed. */
  isStale: boolean
  /** Why the feed or the JWK set could not be read the last time; no secret is in it. */
  lastError: string | null
}

/** Checks access tokens in this process, and knows which sessions were revoked. */
export interface Verifier {
  /**
   * Whether an access token is good now. A token that is bad never throws.
   *
   * @param options.signal ends the waiting, by throwing its reason; the work goes on for the others.
   * @throws VerifierUnavailableError where neither yes nor no can be said: answer with 503.
   */
  (token: string, options?: { signal?: AbortSignal }): Promise<Verification>
  /**
   * When the keys are there and, with `revocations`, all that still matters is known. Verifying
   * before that is right too, and asks the API.
   *
   * @throws VerifierUnavailableError when the service refuses the key, or is not there in time.
   */
  ready(options?: { signal?: AbortSignal }): Promise<void>
  /** Ends the feed, so that the process can end. Verifying then throws. */
  close(): void
  status(): VerifierStatus
  /**
   * Calls back once when the session is revoked: the place to close its WebSockets and streams. Also
   * when it is revoked already, when its tenant is suspended, and when it is found only after an
   * outage of the feed. What the callback throws is dropped.
   *
   * @param session what `verify` answered (best: nothing needs to be asked), or its id.
   * @returns to stop listening: call it when the socket closes.
   * @throws TypeError on a verifier without `revocations`, which would never call.
   */
  onRevoked(session: VerifiedSession | string, callback: () => void): () => void
}

/**
 * Makes a verifier of one tenant's access tokens. Make one for the life of the process.
 *
 * ```ts
 * const verify = createVerifier({
 *   issuer: 'https://auth.example.com/t/tnt_…',
 *   revocations: { secretKey: 'sk_…' },
 * })
 * const result = await verify(token)
 * if (result.valid) console.log(result.session.userId)
 * ```
 *
 * With `revocations` it holds one connection open, which keeps a process alive until `close()`. In a
 * Cloudflare Worker, where no connection outlives its request, it asks the API instead (`onStale`);
 * call `ready()` in what lives longer, such as a Durable Object.
 *
 * @throws TypeError for options that can't be right.
 */
export function createVerifier(options: VerifierOptions): Verifier {
  return createLocalVerifier(readSettings(options), systemRuntime)
}
