type Schema = Record<string, unknown>

/**
 * The schema as we enforce it: an object takes the fields that it names and no others. TypeBox leaves
 * that open, in records too. The OpenAPI document is made from the same copy, so that it tells the
 * truth. Parts of an `allOf` stay as they are: each sees only some of the fields.
 */
export function strictSchema(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strictSchema)
  if (!isSchema(schema)) return schema
  const copy: Schema = {}
  for (const [key, value] of Object.entries(schema))
    copy[key] = VALUES.has(key)
      ? value
      : MAPS.has(key) && isSchema(value)
        ? Object.fromEntries(Object.entries(value).map(([name, s]) => [name, strictSchema(s)]))
        : strictSchema(value)
  if (takesObjects(copy) && copy.additionalProperties === undefined)
    copy.additionalProperties = false
  return copy
}

const VALUES = new Set(['allOf', 'const', 'default', 'enum', 'examples', 'required'])
const MAPS = new Set(['properties', 'patternProperties', '$defs'])

const takesObjects = (schema: Schema): boolean =>
  schema.allOf === undefined &&
  (schema.type === 'object' ||
    schema.properties !== undefined ||
    schema.patternProperties !== undefined)

const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
