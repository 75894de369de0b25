import { isIP } from 'node:net'
import { resolve } from 'node:path'

/** Everything that can be set from outside, checked and shaped for use. */
export type Config = ReturnType<typeof loadConfig>

export type Environment = Readonly<Record<string, string | undefined>>

/** One line for each wrong setting, saying what to do. No line holds a secret. */
export class ConfigError extends Error {
  override name = 'ConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

const WORKER_PLACES = ['in_process', 'separate'] as const
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

/** The only reader of the environment. Each setting is named here and nowhere else. */
export function loadConfig(env: Environment) {
  const { read, listProblems } = createReader(env)
  const host = read('HOST', hostName, '127.0.0.1')
  const port = read('PORT', wholeNumber(1, 65_535), 3_000)
  const config = {
    host,
    port,
    /** Without a slash at the end. Issuers and links are made from it. */
    publicUrl: read('PUBLIC_URL', publicUrl, httpUrl(host, port)),
    /** Null: the embedded Postgres in the data folder. */
    databaseUrl: read('DATABASE_URL', urlOf(['postgresql:', 'postgres:']), null),
    databasePoolSize: read('DATABASE_POOL_SIZE', wholeNumber(2, 1_000), 10),
    /** Null: this is the only node. */
    redisUrl: read('REDIS_URL', urlOf(['redis:', 'rediss:']), null),
    dataDir: read('SESAME_DATA_DIR', text => resolve(text), resolve('.sesame')),
    /** Null: made on the first start and kept in the data folder. */
    operatorKey: read('SESAME_OPERATOR_KEY', operatorKey, null),
    /** 32 bytes. Null: made on the first start and kept in the data folder. */
    masterKey: read('SESAME_MASTER_KEY', masterKey, null),
    /** Whether a new database gets a demo tenant, whose key is printed once. */
    hasDemoTenant: read('SESAME_DEMO_TENANT', yesOrNo, true),
    /** Whose `X-Forwarded-For` is believed: nobody's, these addresses', or that many hops'. */
    trustProxy: read('TRUST_PROXY', trustedProxies, false),
    /** Whether this process also keeps house for the whole service, or a `worker.ts` does. */
    runsSweeps: read('WORKER', oneOf(WORKER_PLACES), 'in_process') === 'in_process',
    logLevel: read('LOG_LEVEL', oneOf(LOG_LEVELS), 'info'),
    metricsHost: read('METRICS_HOST', hostName, '127.0.0.1'),
    /** Null: no metrics are served. */
    metricsPort: read('METRICS_PORT', metricsPort, DEFAULT_METRICS_PORT),
    /** A second node on one machine must not fail for a port that nobody asked for. */
    isMetricsPortRequired: isSet(env.METRICS_PORT),
    /** How long `/readyz` says "not ready" before a stop closes the doors, so that a balancer learns of it. */
    shutdownDelayMs: 1_000 * read('SHUTDOWN_DELAY_SECONDS', wholeNumber(0, 3_600), 0),
    /** How long requests in flight may take to finish once a stop was asked for. */
    shutdownGraceMs: 1_000 * read('SHUTDOWN_GRACE_SECONDS', wholeNumber(0, 3_600), 5),
  }
  const problems = listProblems()
  if (problems.length > 0) throw new ConfigError(problems)
  return Object.freeze(config)
}

/** An address as a URL; IPv6 in brackets. */
export function httpUrl(host: string, port: number): string {
  return `http://${isIP(host) === 6 ? `[${host}]` : host}:${port}`
}

// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#prometheus-exporter
const DEFAULT_METRICS_PORT = 9_464

/** Turns the text of a setting into its value, or throws an Expectation. */
type Parser<T> = (text: string) => T

/** What a setting must be, to follow "PORT must be …". */
class Expectation extends Error {}

function createReader(env: Environment) {
  const known = new Set<string>()
  const problems: string[] = []
  function read<T, F>(name: string, parse: Parser<T>, fallback: F): T | F {
    known.add(name)
    const text = env[name]
    if (!isSet(text)) return fallback
    try {
      return parse(text)
    } catch (error) {
      if (!(error instanceof Expectation)) throw error
      problems.push(`${name} must be ${error.message}`)
      return fallback
    }
  }
  return { read, listProblems: () => [...problems, ...unknownSettings(env, known)] }
}

function isSet(text: string | undefined): text is string {
  return text !== undefined && text !== ''
}

// Kubernetes tells every pod of every service around it: a service called "sesame" or "sesame-api"
// puts SESAME_SERVICE_HOST, SESAME_API_PORT_3000_TCP and the like into our environment.
const FROM_KUBERNETES = /_SERVICE_(HOST|PORT)|_PORT(_\d+_[A-Z]+(_[A-Z]+)?)?$/

function unknownSettings(env: Environment, known: Set<string>): string[] {
  return Object.keys(env)
    .filter(name => name.startsWith('SESAME_') && !known.has(name) && !FROM_KUBERNETES.test(name))
    .map(name => `unknown setting ${shown(name)}: check its spelling, or remove it`)
}

/** For values that hold no secret: bounded, on one line. */
function shown(text: string): string {
  const quoted = JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)
  return /^"[\w.-]+"$/.test(quoted) ? quoted.slice(1, -1) : quoted
}

function wholeNumber(min: number, max: number): Parser<number> {
  return text => {
    const value = Number(text)
    if (/^\d{1,10}$/.test(text) && value >= min && value <= max) return value
    throw new Expectation(`a whole number from ${min} to ${max}, not ${shown(text)}`)
  }
}

function oneOf<const T extends string>(choices: readonly T[]): Parser<T> {
  return text => {
    const choice = choices.find(candidate => candidate === text)
    if (choice !== undefined) return choice
    throw new Expectation(`one of ${choices.join(', ')}, not ${shown(text)}`)
  }
}

function yesOrNo(text: string): boolean {
  return oneOf(['true', 'false'])(text) === 'true'
}

function hostName(text: string): string {
  const isName = !/^[\d.]+$/.test(text)
  if (isIP(text) !== 0 || (isName && /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(text)))
    return text
  throw new Expectation(`a host name or an IP address without port, not ${shown(text)}`)
}

function metricsPort(text: string): number | null {
  if (text === 'off' || text === '0') return null
  try {
    return wholeNumber(1, 65_535)(text)
  } catch {
    throw new Expectation(`a port from 1 to 65535, or off, not ${shown(text)}`)
  }
}

function publicUrl(text: string): string {
  const url = URL.parse(text)
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:'
  const isPlain = url !== null && `${url.username}${url.password}` === '' && !/[?#]/.test(text)
  if (url !== null && isHttp && isPlain) return (url.origin + url.pathname).replace(/\/+$/, '')
  throw new Expectation('a URL like https://auth.example.com, without query, fragment or password')
}

/** A connection string may hold a password: it is never shown. */
function urlOf(protocols: readonly string[]): Parser<string> {
  return text => {
    if (protocols.includes(URL.parse(text)?.protocol ?? '')) return text
    throw new Expectation(`a URL that begins with ${protocols[0]}//`)
  }
}

function operatorKey(text: string): string {
  if (/^ok_[A-Za-z0-9_-]{32,253}$/.test(text)) return text
  throw new Expectation('ok_ and 32 to 253 letters, digits, _ or -')
}

function masterKey(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.length === 32 && bytes.toString('base64url') === text) return bytes
  throw new Expectation(
    '32 bytes in base64url (43 characters): openssl rand -base64 32 | tr +/ -_ | tr -d =',
  )
}

function trustedProxies(text: string): false | number | string[] {
  if (text === 'false' || text === '0') return false
  if (/^[1-9]\d?$/.test(text)) return Number(text)
  const ranges = text.split(',').map(range => range.trim())
  if (ranges.every(isAddressRange)) return ranges
  throw new Expectation(
    `false, a number of hops, or a list like 10.0.0.0/8,fd00::/8, not ${shown(text)}`,
  )
}

/** An address or a CIDR range. A range of everybody would let any caller choose its address. */
function isAddressRange(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/')
  const version = isIP(address)
  if (version === 0 || rest.length > 0) return false
  if (prefix === undefined) return true
  const bits = Number(prefix)
  return /^\d{1,3}$/.test(prefix) && bits >= 1 && bits <= (version === 4 ? 32 : 128)
}
