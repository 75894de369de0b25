import type { VerifierOptions } from './verifier.ts'

/** The options, checked and made whole. */
export interface VerifierSettings {
  issuer: string
  audience: string
  secretKey: string | null
  maxStalenessMs: number
  onStale: 'ask' | 'refuse' | 'accept'
  baseUrl: string
  jwksUrl: string
  timeoutMs: number
  fetch: typeof globalThis.fetch
}

const OPTIONS = [
  'issuer',
  'audience',
  'revocations',
  'maxStaleness',
  'onStale',
  'baseUrl',
  'jwksUri',
  'timeoutMs',
  'fetch',
]

/** @throws TypeError that says which option is wrong, and what it should be. */
export function readSettings(options: VerifierOptions): VerifierSettings {
  refuseUnknown('createVerifier', options, OPTIONS)
  const issuer = readUrl('issuer', options.issuer).text
  const [, prefix, tenantId] = /^(.*)\/t\/([^/]+)$/.exec(issuer) ?? []
  const { audience = tenantId, maxStaleness = 15_000, onStale = 'ask', timeoutMs = 5_000 } = options
  if (typeof audience !== 'string' || audience === '')
    throw new TypeError(
      'audience is needed where issuer does not end in /t/{tenant id}: the `aud` of your tokens',
    )
  if (!['ask', 'refuse', 'accept'].includes(onStale))
    throw new TypeError("onStale must be 'ask', 'refuse' or 'accept'")
  const secretKey = readSecretKey(options)
  return {
    issuer,
    audience,
    secretKey,
    maxStalenessMs: readMs('maxStaleness', maxStaleness, 0),
    onStale,
    baseUrl: readBaseUrl(options, prefix, secretKey),
    jwksUrl:
      options.jwksUri === undefined
        ? readAddress('issuer', `${issuer}/.well-known/jwks.json`)
        : readAddress('jwksUri', options.jwksUri),
    timeoutMs: readMs('timeoutMs', timeoutMs, 1),
    fetch: readFetch(options.fetch),
  }
}

/** Nothing is asked of the API without a key. */
function readBaseUrl(
  { baseUrl }: VerifierOptions,
  prefix: string | undefined,
  secretKey: string | null,
): string {
  if (baseUrl !== undefined) return readAddress('baseUrl', baseUrl)
  if (secretKey === null) return ''
  if (prefix !== undefined) return readAddress('issuer', prefix)
  throw new TypeError('baseUrl is needed where issuer does not end in /t/{tenant id}')
}

/** A misspelt option must not mean that it was never given. */
function refuseUnknown(what: string, options: object, names: string[]): void {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`${what} takes an object of options`)
  for (const name of Object.keys(options))
    if (!names.includes(name)) throw new TypeError(`${what} has no option named ${name}`)
}

function readSecretKey({ revocations }: VerifierOptions): string | null {
  if (revocations === undefined) return null
  refuseUnknown('revocations', revocations, ['secretKey'])
  const { secretKey } = revocations
  // The key itself is in no message.
  if (typeof secretKey !== 'string' || !/^[\x21-\x7e]{1,512}$/.test(secretKey))
    throw new TypeError('revocations.secretKey must be a secret key: sk_…')
  const page = globalThis as { window?: unknown; document?: unknown }
  if (page.window !== undefined && page.document !== undefined)
    throw new TypeError(
      'revocations.secretKey must never be in a browser, where anybody can read it',
    )
  return secretKey
}

const LOOPBACK = /^(?:localhost|.*\.localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

/** Where requests go: nobody on the way may read a key or change a key set. */
function readAddress(name: string, value: unknown): string {
  const { text, url } = readUrl(name, value)
  if (url.protocol === 'http:' && !LOOPBACK.test(url.hostname))
    throw new TypeError(`${name} must be https, but for this machine`)
  return text
}

function readUrl(name: string, value: unknown): { text: string; url: URL } {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : null
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw new TypeError(`${name} must be a URL such as https://auth.example.com/t/tnt_…`)
  if (url.username !== '' || url.password !== '' || url.hash !== '')
    throw new TypeError(`${name} must hold no user, password or fragment`)
  const text = String(value)
  if (text.endsWith('/')) throw new TypeError(`${name} must not end in a slash`)
  return { text, url }
}

function readMs(name: string, value: unknown, least: number): number {
  if (typeof value !== 'number' || !(value >= least) || value > MAX_MS)
    throw new TypeError(`${name} must be milliseconds, from ${least} to ${MAX_MS}`)
  return value
}

/** What a timer can wait. */
const MAX_MS = 2_147_483_647

function readFetch(given: unknown): typeof globalThis.fetch {
  if (given === undefined) return (input, init) => globalThis.fetch(input, init)
  if (typeof given !== 'function') throw new TypeError('fetch must be a function')
  return given as typeof globalThis.fetch
}
