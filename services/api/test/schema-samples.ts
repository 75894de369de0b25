import type { JsonSchema } from './route-table.ts'

type Sampled = JsonSchema & { examples?: unknown[] }

/** The smallest value that a schema takes: what it requires and nothing more. */
export function sampleOf(schema: Sampled): unknown {
  if (schema.examples !== undefined) return schema.examples[0]
  if (schema.const !== undefined) return schema.const
  if (schema.enum !== undefined) return schema.enum[0]
  if (schema.anyOf !== undefined) return sampleOf(schema.anyOf[0] ?? {})
  switch (schema.type) {
    case 'object':
      return sampleObject(schema)
    case 'array':
      return Array.from({ length: schema.minItems ?? 0 }, () => sampleOf(schema.items ?? {}))
    case 'integer':
      return schema.minimum ?? 1
    case 'boolean':
      return false
    case 'string':
      return 'x'.repeat(Math.max(schema.minLength ?? 1, 1))
    default:
      return null
  }
}

function sampleObject({ properties = {}, required = [], ...schema }: Sampled): unknown {
  const [first] = Object.keys(properties)
  const isPartial = 'minProperties' in schema && required.length === 0 && first !== undefined
  const names = isPartial ? [first] : required
  return Object.fromEntries(names.map(name => [name, sampleOf(properties[name] ?? {})]))
}
