import { checkBaseUrl } from './client/base-url.ts'
import { createEventStreams } from './client/event-stream.ts'
import { checkOptions } from './client/request-options.ts'
import { refuseBrowser, userAgent } from './client/runtime.ts'
import { checkSecretKey } from './client/secret-key.ts'
import { createTransport, SYSTEM_SEAMS } from './client/transport.ts'
import type { TransportConfig } from './client/wire-request.ts'
import { ApiKeys } from './resources/api-keys.ts'
import { Events } from './resources/events.ts'
import { Revocations } from './resources/revocations.ts'
import { Sessions } from './resources/sessions.ts'
import { SigningKeys } from './resources/signing-keys.ts'
import { Tenants } from './resources/tenants.ts'
import { Users } from './resources/users.ts'

export interface SesameOptions {
  /** `sk_live_…` or `sk_test_…` of your tenant; `ok_…` for who runs the service. */
  secretKey: string
  /** The tenant to act in, for an operator key. A secret key knows its tenant. */
  tenantId?: string | undefined
  /** Where the API is. Default: `http://127.0.0.1:3000`, the service on your own machine. */
  baseUrl?: string | undefined
  /** For each attempt, in milliseconds. Default 10,000. */
  timeoutMs?: number | undefined
  /** Attempts after the first one, where another can help. Default 2, at most 10. */
  maxRetries?: number | undefined
  /** Default: the global one. */
  fetch?: typeof globalThis.fetch | undefined
  /** Plain http also to other machines: only in a network where nobody can listen. Default false. */
  allowHttp?: boolean | undefined
}

const DEFAULT_TIMEOUT_MS = 10_000
const DEFAULT_MAX_RETRIES = 2

/**
 * The Sesame API, for a backend.
 *
 * ```ts
 * const sesame = new Sesame({ secretKey, baseUrl: 'https://auth.example.com' })
 * const { session, accessToken, refreshToken } = await sesame.sessions.create({ userId: 'ada' })
 * ```
 *
 * Calls reject with a {@link SesameError}, with the reason of their signal, or with a `TypeError`
 * where they were made in a wrong way.
 */
export class Sesame {
  readonly sessions: Sessions
  readonly users: Users
  readonly tenants: Tenants
  readonly apiKeys: ApiKeys
  readonly signingKeys: SigningKeys
  readonly events: Events
  readonly revocations: Revocations

  /** @throws TypeError for an option that is wrong, and in a browser. */
  constructor(options: SesameOptions) {
    refuseBrowser()
    // The secret key lives in this closure alone: nothing that prints or copies the client finds it.
    const config = readOptions(options)
    const send = createTransport(config, SYSTEM_SEAMS)
    this.sessions = new Sessions(send)
    this.users = new Users(send)
    this.tenants = new Tenants(send)
    this.apiKeys = new ApiKeys(send)
    this.signingKeys = new SigningKeys(send)
    this.events = new Events(send)
    this.revocations = new Revocations(send, createEventStreams(config, SYSTEM_SEAMS))
  }
}

function readOptions(options: SesameOptions): TransportConfig {
  const { secretKey, tenantId, baseUrl, timeoutMs, maxRetries, fetch, allowHttp, ...unknown } = {
    ...options,
  }
  const [misspelt] = Object.keys(unknown)
  if (misspelt !== undefined) throw new TypeError(`Sesame has no option ${misspelt}`)
  if (fetch !== undefined && typeof fetch !== 'function')
    throw new TypeError('fetch is no function')
  const given = {
    ...(tenantId !== undefined && { tenantId }),
    timeoutMs: timeoutMs ?? DEFAULT_TIMEOUT_MS,
    maxRetries: maxRetries ?? DEFAULT_MAX_RETRIES,
  }
  checkOptions(given)
  return {
    ...given,
    tenantId,
    secretKey: checkSecretKey(secretKey),
    baseUrl: checkBaseUrl(baseUrl, allowHttp === true),
    // Looked up for each call, so that whoever replaces the global one is heard.
    fetch: fetch ?? ((input, init) => globalThis.fetch(input, init)),
    userAgent: userAgent(),
  }
}
