import { VerifierUnavailableError } from '../errors.ts'
import {
  authenticateToken,
  checkTimes,
  classifyForeignToken,
  mayBeOfUnknownKey,
  splitToken,
  type TokenParts,
  type TokenVerdict,
} from './access-token.ts'
import { createExchange } from './exchange.ts'
import type { KeySet } from './jwk-set.ts'
import { createJwksCache } from './jwks-cache.ts'
import { createRevocationWatch, type RevocationWatch } from './revocation-watch.ts'
import { createElapsedClock, type VerifierRuntime } from './runtime.ts'
import type { VerifierSettings } from './settings.ts'
import type { SigningKey } from './signing-key.ts'
import type { InvalidReason, Verification } from './verification.ts'
import { toVerifiedSession } from './verified-session.ts'
import { createVerifiedTokens, type VerifiedToken } from './verified-tokens.ts'
import type { Verifier } from './verifier.ts'
import { withSignal } from './with-signal.ts'

/**
 * In order: the signature and the fixed claims (or the memory of having checked them, with a key that
 * still counts), the times, the revocations, whether these are fresh enough to be believed, and last
 * whether the session still is what the token says.
 */
export function createLocalVerifier(
  settings: VerifierSettings,
  runtime: VerifierRuntime,
): Verifier {
  const closing = new AbortController()
  const elapsedMs = createElapsedClock(runtime)
  const { fetch, timeoutMs } = settings
  const exchange = createExchange({ fetch, timeoutMs, runtime, signal: closing.signal })
  const jwks = createJwksCache({ url: settings.jwksUrl, exchange, runtime, elapsedMs })
  const verifiedTokens = createVerifiedTokens({ bySession: settings.secretKey !== null })
  const watch =
    settings.secretKey === null
      ? null
      : createRevocationWatch(
          { ...settings, secretKey: settings.secretKey },
          { exchange, runtime, elapsedMs, jwks, verifiedTokens },
        )

  const nowMs = (): number => watch?.nowMs() ?? runtime.nowMs()

  const verify = (token: string): Verification | Promise<Verification> => {
    if (closing.signal.aborted) throw unavailable('verify_unavailable', 'The verifier is closed.')
    if (!jwks.isCurrent()) return jwks.get().then(keys => verifyWith(keys, token))
    return verifyWith(jwks.current(), token)
  }

  const verifyWith = (keys: KeySet | null, token: string): Verification | Promise<Verification> => {
    const known = typeof token === 'string' ? verifiedTokens.find(token) : null
    if (known !== null && keys?.has(known.key) === true) return decide(known, token)
    const parts = splitToken(token)
    if (parts === null) return refusal('malformed')
    if (keys === null) return verifyWithoutKeys(parts)
    const key = keys.find(parts.header)
    return key === null ? verifyUnknownKey(parts) : verifySignature(parts, key)
  }

  const verifySignature = (
    parts: TokenParts,
    key: SigningKey,
  ): Verification | Promise<Verification> => {
    const verdict = authenticateToken(parts, key, settings)
    return verdict instanceof Promise
      ? verdict.then(later => conclude(parts, key, later))
      : conclude(parts, key, verdict)
  }

  const conclude = (
    { token }: TokenParts,
    key: SigningKey,
    verdict: TokenVerdict,
  ): Verification | Promise<Verification> => {
    if (!verdict.valid) return refusal(verdict.reason)
    const { claims } = verdict
    const verified = { claims, key, session: toVerifiedSession(claims) }
    verifiedTokens.insert(token, verified)
    return decide(verified, token)
  }

  const decide = (
    { claims, session }: VerifiedToken,
    token: string,
  ): Verification | Promise<Verification> => {
    const untimely = checkTimes(claims, nowMs())
    if (untimely !== null) return refusal(untimely)
    if (watch === null) return { valid: true, session }
    if (watch.isRevoked(claims)) return refusal('session_revoked')
    if (watch.isStale()) return decideBlind(watch, token, { claims, session })
    return watch.isChanged(claims)
      ? decideChanged(watch, token, { claims, session })
      : { valid: true, session }
  }

  const decideBlind = (
    blind: RevocationWatch,
    token: string,
    { claims, session }: CheckedToken,
  ): Verification | Promise<Verification> => {
    if (settings.onStale === 'refuse') return refusal('revocations_stale')
    if (settings.onStale === 'ask') return blind.ask(token, claims)
    const known = blind.isChanged(claims) ? blind.knownOfChanged(token, claims) : null
    if (known !== null) return known
    return blind.isRevokedAsTold(claims) ? refusal('session_revoked') : { valid: true, session }
  }

  /** Role and organisation are not those that the token says. Who can't be told which is blind. */
  const decideChanged = async (
    watching: RevocationWatch,
    token: string,
    checked: CheckedToken,
  ): Promise<Verification> => {
    try {
      return await watching.askOfChanged(token, checked.claims)
    } catch (error) {
      if (settings.onStale === 'ask') throw error
      return decideBlind(watching, token, checked)
    }
  }

  /** Looks for the key once in a while, whoever asks how often. */
  const verifyUnknownKey = async (parts: TokenParts): Promise<Verification> => {
    if (mayBeOfUnknownKey(parts, settings.issuer)) {
      const keys = await jwks.getForUnknownKey()
      const key = keys?.find(parts.header) ?? null
      if (key !== null) return verifySignature(parts, key)
      // A set that has had its time, or is known to be outdated, can't say that there is no such key.
      if (!jwks.isCurrent() || jwks.outdatedSinceMs() !== null) return verifyWithoutKeys(parts)
    }
    return refusal(classifyForeignToken(parts))
  }

  const verifyWithoutKeys = (parts: TokenParts): Verification | Promise<Verification> => {
    if (!mayBeOfUnknownKey(parts, settings.issuer)) return refusal(classifyForeignToken(parts))
    if (watch !== null && settings.onStale === 'ask') return watch.ask(parts.token, null)
    throw unavailable(
      'jwks_unavailable',
      `The keys can't be had: ${jwks.lastError() ?? 'not yet'}.`,
    )
  }

  const lastError = (): string | null => watch?.lastError() ?? jwks.lastError()

  const becomeReady = async (): Promise<void> => {
    const endsAtMs = elapsedMs() + READY_LIMIT_TIMEOUTS * timeoutMs
    for (;;) {
      if (closing.signal.aborted) throw unavailable('verify_unavailable', 'The verifier is closed.')
      watch?.start()
      const keys = await jwks.get()
      const refused = watch?.refusal() ?? null
      if (refused !== null) throw unavailable('verify_unavailable', `Not ready: ${refused}.`)
      if (keys !== null && watch?.isStale() !== true) return
      if (elapsedMs() >= endsAtMs)
        throw unavailable(
          keys === null ? 'jwks_unavailable' : 'verify_unavailable',
          `Not ready in time: ${lastError() ?? 'no answer'}.`,
        )
      await new Promise<void>(resolve => {
        const stop = runtime.startTimer(resolve, READY_LOOK_MS, { isAwaited: true })
        void watch?.settled().then(() => {
          stop()
          resolve()
        })
      })
    }
  }

  const verifier = async (token: string, options?: { signal?: AbortSignal }) =>
    options?.signal === undefined
      ? verify(token)
      : withSignal(options.signal, async () => verify(token))

  // A Worker may do nothing before its first request, and what one request opens ends with it: there
  // the feed is held only by who asks for it with `ready`, as a Durable Object can.
  if (!isWorker()) {
    void jwks.get()
    watch?.start()
  }

  return Object.assign(verifier, {
    ready: (options?: { signal?: AbortSignal }) => withSignal(options?.signal, becomeReady),
    close() {
      closing.abort()
      jwks.close()
      watch?.close()
    },
    status: () => ({
      freshAsOf: watch?.freshAsOf() ?? null,
      entries: watch?.entries() ?? 0,
      bytes: watch?.bytes() ?? 0,
      feed: watch?.state() ?? ('off' as const),
      isStale: watch?.isStale() ?? false,
      lastError: lastError(),
    }),
    onRevoked(session: Parameters<Verifier['onRevoked']>[0], callback: () => void) {
      if (watch === null) throw new TypeError('onRevoked needs the option `revocations`')
      if (typeof callback !== 'function') throw new TypeError('onRevoked needs a callback')
      if (closing.signal.aborted) return () => {}
      watch.start()
      return watch.onRevoked(session, callback)
    },
  })
}

type CheckedToken = Pick<VerifiedToken, 'claims' | 'session'>

/** `ready` gives up after so many times the time-out of one call. */
const READY_LIMIT_TIMEOUTS = 3
const READY_LOOK_MS = 100

const refusal = (reason: InvalidReason): Verification => ({ valid: false, reason })

const unavailable = (
  code: VerifierUnavailableError['code'],
  message: string,
): VerifierUnavailableError => new VerifierUnavailableError(message, { code })

const isWorker = (): boolean =>
  (globalThis as { navigator?: { userAgent?: string } }).navigator?.userAgent ===
  'Cloudflare-Workers'
