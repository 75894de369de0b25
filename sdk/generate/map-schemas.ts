import type { Schema } from './openapi.ts'

/** A copy in which each property has the name that `rename` gives it. Free keys stay as they are. */
export function renameProperties(schema: Schema, rename: (name: string) => string): Schema {
  return mapSchema(schema, ({ properties, required, ...rest }) => ({
    ...rest,
    ...(properties !== undefined && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, property]) => [rename(name), property]),
      ),
    }),
    ...(required !== undefined && { required: required.map(rename) }),
  }))
}

/** A copy without what a reader of types has no use for. */
export const plainSchema = (schema: Schema): Schema =>
  mapSchema(schema, ({ format: _format, examples: _examples, ...rest }) => rest)

/** Every schema below this one, the innermost first. */
function mapSchema(schema: Schema, change: (schema: Schema) => Schema): Schema {
  const below = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(below)
    return isObject(value) ? mapSchema(value, change) : value
  }
  const mapped = Object.entries(schema).map(([keyword, value]): [string, unknown] => {
    if (keyword === 'properties' || keyword === 'patternProperties')
      return [keyword, Object.fromEntries(entriesOf(value).map(([k, v]) => [k, below(v)]))]
    return [keyword, SUBSCHEMAS.has(keyword) ? below(value) : value]
  })
  return change(Object.fromEntries(mapped))
}

const SUBSCHEMAS = new Set(['items', 'additionalProperties', 'anyOf', 'oneOf', 'allOf'])

const isObject = (value: unknown): value is Schema => typeof value === 'object' && value !== null

const entriesOf = (value: unknown) => Object.entries(isObject(value) ? value : {})
