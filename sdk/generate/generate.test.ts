import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { emitInterfaces } from './emit-interfaces.ts'
import { GENERATED_FOLDER, generateTypes } from './generate.ts'
import { renameProperties } from './map-schemas.ts'
import { nameOperations } from './name-operations.ts'

test('the types are those of docs/openapi.json: if not, run `npm run generate`', async () => {
  const generated = await generateTypes()
  expect(Object.keys(generated).toSorted()).toEqual(['model.ts', 'operations.ts', 'wire.ts'])
  for (const [name, text] of Object.entries(generated))
    expect(text, name).toBe(readFileSync(new URL(name, GENERATED_FOLDER), 'utf8'))
})

test('a schema becomes an interface that refers to others by name', async () => {
  const text = await emitInterfaces({
    Pet: {
      type: 'object',
      description: 'An animal.',
      required: ['kind', 'owner'],
      properties: {
        kind: { enum: ['cat', 'dog'], description: 'Which.', examples: ['cat'] },
        owner: { $ref: '#/components/schemas/Owner' },
        age: { type: 'integer', default: 1 },
      },
      additionalProperties: false,
    },
    Owner: { anyOf: [{ type: 'string' }, { type: 'null' }] },
  })
  expect(text.replace(/ +/g, ' ')).toBe(
    [
      '/** An animal. */',
      'export interface Pet {',
      ' /** Which. */',
      ' kind: "cat" | "dog";',
      ' owner: Owner;',
      ' /** @default 1 */',
      ' age?: number;',
      '}',
      '',
      'export type Owner = string | null;',
      '',
    ].join('\n'),
  )
})

test('names are changed where they are names, and nowhere else', () => {
  const schema = {
    required: ['user_id'],
    properties: { user_id: { enum: ['user_id'], description: 'user_id' } },
    patternProperties: { '^user_id$': { properties: { user_id: {} } } },
  }
  expect(renameProperties(schema, name => name.toUpperCase())).toEqual({
    required: ['USER_ID'],
    properties: { USER_ID: { enum: ['user_id'], description: 'user_id' } },
    patternProperties: { '^user_id$': { properties: { USER_ID: {} } } },
  })
})

test('operations that do not speak JSON are not for the client', () => {
  const json = { content: { 'application/json': { schema: { type: 'object' } } } }
  const form = { content: { 'application/x-www-form-urlencoded': { schema: {} } } }
  const stream = { content: { 'text/event-stream': { schema: {} } } }
  const operations = nameOperations({
    info: {},
    components: { schemas: {} },
    paths: {
      '/healthz': { get: { operationId: 'getHealth', responses: { 200: json } } },
      '/v1/pets': {
        get: { operationId: 'listPets', responses: { 200: json } },
        post: { operationId: 'createPet', requestBody: form, responses: { 201: json } },
        delete: { operationId: 'deletePets', responses: { 204: {} } },
      },
      '/v1/pets/stream': { get: { operationId: 'streamPets', responses: { 200: stream } } },
    },
  })
  expect(operations.map(({ route, result }) => [route, result])).toEqual([
    ['GET /v1/pets', 'ListPetsResult'],
    ['DELETE /v1/pets', null],
  ])
})
