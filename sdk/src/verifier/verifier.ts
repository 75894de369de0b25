import type { VerifiedSession, Verification } from './verification.ts'

export interface VerifierOptions {
  /** The `iss` of your tenant's tokens: `https://…/t/tnt_…`. */
  issuer: string
  /** The `aud` of your tenant's tokens. Default: the tenant id at the end of `issuer`. */
  audience?: string
  /** Follows the feed of revocations. Without it a revocation is learned when the token expires. */
  revocations?: {
    /** A key with the scopes `revocations:read` and, to ask when stale, `sessions:verify`. */
    secretKey: string
  }
  /** How long the feed may be silent before `onStale` counts, in milliseconds. Default 15,000. */
  maxStaleness?: number
  /** Beyond that: ask the API (default), refuse, or accept what the token says. */
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

export interface VerifierStatus {
  /** The moment up to which every revocation is known; null before the first answer or with no feed. */
  freshAsOf: Date | null
  /** Revocations that are held. */
  entries: number
  /** Memory that they take, in bytes. */
  bytes: number
  feed: 'off' | 'connecting' | 'streaming' | 'polling' | 'closed'
  isStale: boolean
  /** Why the feed or the JWK set could not be read the last time; no secret is in it. */
  lastError: string | null
}

/** Checks access tokens in this process, and knows which sessions were revoked. */
export interface Verifier {
  /** @throws VerifierUnavailableError where neither yes nor no can be said: answer with 503. */
  (token: string, options?: { signal?: AbortSignal }): Promise<Verification>
  /** When the keys are there and, with `revocations`, all that still matters is known. */
  ready(options?: { signal?: AbortSignal }): Promise<void>
  close(): void
  status(): VerifierStatus
  /**
   * Calls back once when the session is revoked: the place to close its WebSockets and streams.
   *
   * @param session what `verify` answered, or its id.
   * @returns to stop listening.
   */
  onRevoked(session: VerifiedSession | string, callback: () => void): () => void
}
