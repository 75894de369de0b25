import type { Type as TypeBox } from 'typebox'

type Schema = object
type Properties = Readonly<Record<string, Schema>>
type Options = object | undefined

// TypeBox knows an optional field by this property, which no JSON shows; so do we, and schemas of both mix.
const OPTIONAL = '~optional'

const objectOf = (properties: Properties, options?: Options): Schema => {
  const required = Object.keys(properties).filter(name => !(OPTIONAL in (properties[name] ?? {})))
  return { type: 'object', ...(required.length > 0 && { required }), properties, ...options }
}

const optionalOf = (schema: Schema): Schema =>
  Object.defineProperty({ ...schema }, OPTIONAL, { value: true })

const partialOf = ({ properties }: { properties: Properties }): Schema =>
  objectOf(
    Object.fromEntries(
      Object.entries(properties).map(([name, schema]) => [name, optionalOf(schema)]),
    ),
  )

const builders = {
  Array: (items: Schema, options?: Options) => ({ type: 'array', items, ...options }),
  Boolean: (options?: Options) => ({ type: 'boolean', ...options }),
  Enum: (values: readonly unknown[], options?: Options) => ({ enum: values, ...options }),
  Integer: (options?: Options) => ({ type: 'integer', ...options }),
  Literal: (value: unknown, options?: Options) => ({
    type: typeof value,
    const: value,
    ...options,
  }),
  Null: (options?: Options) => ({ type: 'null', ...options }),
  Object: objectOf,
  Optional: optionalOf,
  Partial: partialOf,
  Record: (key: { pattern?: string }, value: Schema, options?: Options) => ({
    type: 'object',
    patternProperties: { [key.pattern ?? '^.*$']: value },
    ...options,
  }),
  String: (options?: Options) => ({ type: 'string', ...options }),
  Union: (anyOf: readonly Schema[], options?: Options) => ({ anyOf, ...options }),
  Unknown: (options?: Options) => ({ ...options }),
}

/**
 * The few builders of TypeBox that we use, with its types. TypeBox itself is 370 files, a sixth of a
 * start; what these make is the same JSON, which `type.test.ts` compares.
 */
export const Type = builders as unknown as Pick<typeof TypeBox, keyof typeof builders>
