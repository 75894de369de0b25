import type { Verification } from '../verifier/verification.ts'

/** What checks a token: `createVerifier(…)`, or a call of the API. */
export type Verify = (token: string) => Promise<Verification>

type Awaitable<T> = T | Promise<T>

/** What a route demands. The same in every framework. */
export interface SessionOptions<Request> {
  /** The user must have proved who they are in two ways; otherwise a challenge (RFC 9470). */
  requireMfa?: boolean
  /** The session must have this role, or one of these; otherwise 403. */
  requireRole?: string | readonly string[]
  /** The user must have signed in within this time; otherwise a challenge (RFC 9470). */
  maxAuthAgeSeconds?: number
  /**
   * Lets requests without a token pass, with no session. A bad token is refused all the same. Not
   * together with the demands above, which would then hold for some requests only.
   */
  optional?: boolean
  /**
   * Where the token is, instead of `Authorization: Bearer`: in a cookie, for instance. A cookie comes
   * along with requests that other sites make: check their `Origin` yourself.
   */
  getToken?: (request: Request) => Awaitable<string | null | undefined>
  /** Named in the challenges. Default: `api`. */
  realm?: string
}

/** The options, checked and with nothing left open. */
export interface Demands<Request> {
  requireMfa: boolean
  roles: readonly string[] | null
  maxAuthAgeSeconds: number | null
  optional: boolean
  getToken: SessionOptions<Request>['getToken'] | null
  realm: string
}

/**
 * A route that is open by mistake is worse than an app that does not start. So a name that is
 * misspelt, and a value that is `undefined` because a setting was missing, are refused here.
 *
 * @throws TypeError which names the option.
 */
export function readOptions<Request>(options: SessionOptions<Request>): Demands<Request> {
  for (const [name, value] of Object.entries(options)) checkOption(name, value)
  const { requireMfa = false, requireRole, maxAuthAgeSeconds, optional = false } = options
  const roles = requireRole === undefined ? null : [requireRole].flat()
  const demands = requireMfa || roles !== null || maxAuthAgeSeconds !== undefined
  if (optional && demands)
    throw new TypeError('optional: not together with requireMfa, requireRole or maxAuthAgeSeconds')
  return {
    requireMfa,
    roles,
    maxAuthAgeSeconds: maxAuthAgeSeconds ?? null,
    optional,
    getToken: options.getToken ?? null,
    realm: options.realm ?? 'api',
  }
}

const isBoolean = (value: unknown): boolean => typeof value === 'boolean'
const isRole = (value: unknown): boolean => typeof value === 'string' && value !== ''
/** What a quoted string can hold with nothing escaped (RFC 9110, 5.6.4). */
const REALM = /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/

const OPTIONS: Record<keyof SessionOptions<never>, [(value: unknown) => boolean, string]> = {
  requireMfa: [isBoolean, 'true or false'],
  requireRole: [
    value => (Array.isArray(value) ? value.length > 0 && value.every(isRole) : isRole(value)),
    'a role, or a list of at least one',
  ],
  maxAuthAgeSeconds: [
    value => typeof value === 'number' && Number.isInteger(value) && value >= 0,
    'a whole number of seconds',
  ],
  optional: [isBoolean, 'true or false'],
  getToken: [value => typeof value === 'function', 'a function'],
  realm: [
    value => typeof value === 'string' && REALM.test(value),
    'printable text without " or \\',
  ],
}

function checkOption(name: string, value: unknown): void {
  if (!Object.hasOwn(OPTIONS, name)) throw new TypeError(`${name}: there is no such option`)
  const [isRight, form] = OPTIONS[name as keyof SessionOptions<never>]
  if (!isRight(value)) throw new TypeError(`${name}: must be ${form}`)
}
