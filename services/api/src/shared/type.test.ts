import { Type as TypeBox } from 'typebox'
import { expect, test } from 'vitest'
import { Type } from './type.ts'

type Builders = Pick<typeof TypeBox, keyof typeof Type>

const SAMPLES: Record<keyof Builders, (type: Builders) => object> = {
  Array: type => type.Array(type.String(), { maxItems: 3 }),
  Boolean: type => type.Boolean({ default: true }),
  Enum: type => type.Enum(['a', 'b'], { description: 'One.' }),
  Integer: type => type.Integer({ minimum: 1 }),
  Literal: type => type.Object({ a: type.Literal('a'), b: type.Literal(true), c: type.Literal(1) }),
  Null: type => type.Null({ description: 'Nothing.' }),
  Object: type =>
    type.Object(
      { a: type.String(), b: type.Optional(type.Integer()), c: type.Object({}) },
      { additionalProperties: false },
    ),
  Optional: type => type.Object({ a: type.Optional(type.String({ pattern: '^a$' })) }),
  Partial: type =>
    type.Partial(
      type.Object(
        { a: type.String(), b: type.Optional(type.Integer()) },
        { additionalProperties: false, description: 'All.' },
      ),
    ),
  Record: type =>
    type.Object({
      any: type.Record(type.String(), type.Unknown(), { maxProperties: 5 }),
      some: type.Record(type.String({ pattern: '^[a-z]+$' }), type.Boolean()),
    }),
  String: type => type.String({ pattern: '^[a-z]+$', examples: ['abc'] }),
  Union: type => type.Union([type.String(), type.Null()], { description: 'Or null.' }),
  Unknown: type => type.Unknown({ description: 'Anything.' }),
}

test.each(Object.entries(SAMPLES))('%s makes the JSON that TypeBox makes', (_name, make) => {
  expect(JSON.stringify(make(Type))).toBe(JSON.stringify(make(TypeBox)))
})

test('optional fields of TypeBox and of ours mix', () => {
  const theirs = Type.Object({ a: TypeBox.Optional(TypeBox.String()) })
  const ours = TypeBox.Object({ a: Type.Optional(Type.String()) })
  expect(JSON.stringify(theirs)).toBe(JSON.stringify(ours))
})
