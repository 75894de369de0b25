import { snakeCase } from './casing.ts'

/**
 * The path of a route with its parameters in place.
 *
 * @throws TypeError for a parameter that could lead to another route: an empty session id would make
 *   "revoke this session" into "revoke them all".
 */
export function fillPath(route: string, params: Readonly<Record<string, unknown>> = {}): string {
  const path = route.slice(route.indexOf(' ') + 1)
  return path.replace(/\{(\w+)\}/g, (_, name: string) => encodeSegment(name, params[name]))
}

const MAX_SEGMENT_LENGTH = 256

function encodeSegment(name: string, value: unknown): string {
  if (typeof value !== 'string' || value === '')
    throw new TypeError(`${name} is ${value === '' ? 'empty' : `no string, but ${typeof value}`}`)
  const isPath = /^\.{1,2}$|[/\\]/.test(value)
  if (isPath || value.length > MAX_SEGMENT_LENGTH || !value.isWellFormed())
    throw new TypeError(`${name} is no id`)
  return encodeURIComponent(value)
}

/** These narrow nothing down, so that leaving them undefined is the same as leaving them out. */
const MAY_BE_UNDEFINED = new Set(['limit', 'cursor', 'after', 'status', 'reason'])

/**
 * The query of a route, with its question mark; nothing for no parameters.
 *
 * @throws TypeError for a filter that is there without a value. A lost user id must never mean
 *   everybody, neither in what is revoked nor in what is shown.
 */
export function toQuery(params: object = {}): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(params)) {
    if (value === undefined && MAY_BE_UNDEFINED.has(name)) continue
    if (!isScalar(value))
      throw new TypeError(`${name} is ${spell(value)}: leave it out for no filter`)
    query.append(snakeCase(name), String(value))
  }
  const text = query.toString()
  return text === '' ? '' : `?${text}`
}

const isScalar = (value: unknown): boolean =>
  typeof value === 'string'
    ? value !== '' && value.isWellFormed()
    : typeof value === 'boolean' || Number.isFinite(value)

function spell(value: unknown): string {
  if (value === '') return 'empty'
  return value === undefined || value === null ? String(value) : `no value, but ${typeof value}`
}
