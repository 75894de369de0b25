/** `user_id` to `userId`, as fields are called in TypeScript. */
export const camelCase = (name: string): string =>
  name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())

/** `userId` to `user_id`, as fields are called on the wire. */
export const snakeCase = (name: string): string =>
  name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)

/** Objects whose keys are not names of ours. `data` of a list is an array, and not meant. */
const FREE_KEYS = new Set(['metadata', 'data', 'apps'])
/** Of those, the one whose values are ours again: settings by app id. */
const NAMED_VALUES = new Set(['apps'])

/** A copy of what came over the wire, with the names of TypeScript. */
export const fromWire = (value: unknown): unknown => rename(value, camelCase)

/** A copy of what TypeScript calls so, with the names of the wire. */
export const toWire = (value: unknown): unknown => rename(value, snakeCase)

function rename(value: unknown, nameOf: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map(item => rename(item, nameOf))
  if (!isPlainObject(value)) return value
  return mapEntries(value, (name, inner) => [
    nameOf(name),
    FREE_KEYS.has(name) && isPlainObject(inner) ? free(name, inner, nameOf) : rename(inner, nameOf),
  ])
}

function free(name: string, value: object, nameOf: (name: string) => string): unknown {
  if (!NAMED_VALUES.has(name)) return value
  return mapEntries(value, (key, inner) => [key, rename(inner, nameOf)])
}

/** With `fromEntries`, a key called `__proto__` is a key like any other. */
const mapEntries = (
  value: object,
  change: (key: string, inner: unknown) => [string, unknown],
): object => Object.fromEntries(Object.entries(value).map(([key, inner]) => change(key, inner)))

/** Not a Date or another object that JSON writes in its own way. */
function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
