import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { camelCase, fromWire, snakeCase, toWire } from './casing.ts'

const openApiFile = new URL('../../../docs/openapi.json', import.meta.url)
const document = JSON.parse(readFileSync(openApiFile, 'utf8'))

/** Every schema of the document, with the name of the field that has it. */
function* fieldsOf(node: unknown, field = ''): Generator<[string, Record<string, unknown>]> {
  if (typeof node !== 'object' || node === null) return
  const schema = node as Record<string, unknown>
  if (!Array.isArray(node)) yield [field, schema]
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'properties')
      for (const [name, property] of Object.entries(value as object))
        yield* fieldsOf(property, name)
    else yield* fieldsOf(value, key === 'schema' || /^\d+$/.test(key) ? field : key)
  }
}
const fields = [...fieldsOf(document.components), ...fieldsOf(document.paths)]

test('every field of the API comes back from TypeScript as it was', () => {
  const names = fields.flatMap(([, { properties }]) => Object.keys(properties ?? {}))
  const parameters = fields.flatMap(([, { name, in: place }]) => (place === 'query' ? [name] : []))
  const all = [...names, ...(parameters as string[])]
  expect(all).toContain('tokens_issued_before')
  expect(all).toContain('dry_run')
  for (const name of all) expect(snakeCase(camelCase(name))).toBe(name)
})

test('the fields with free keys are those of the API, no more and no less', () => {
  const free = fields.flatMap(([field, schema]) => ('patternProperties' in schema ? [field] : []))
  expect(new Set(free)).toEqual(new Set(['metadata', 'data', 'apps']))
})

test('keys that are not ours are left alone, both ways', () => {
  const metadata = { my_key: 'a', myKey: 'b', 'x-y': 'c' }
  expect(fromWire({ user_id: 'ada', metadata })).toEqual({ userId: 'ada', metadata })
  expect(toWire({ userId: 'ada', metadata })).toEqual({ user_id: 'ada', metadata })
  expect(fromWire({ data: { session_id: 'x' } })).toEqual({ data: { session_id: 'x' } })
})

test('settings by app keep the app ids, and have fields of ours below', () => {
  const wire = { apps: { web_app: { session_ttl_seconds: 60 }, webApp: {} } }
  const model = { apps: { web_app: { sessionTtlSeconds: 60 }, webApp: {} } }
  expect(fromWire(wire)).toEqual(model)
  expect(toWire(model)).toEqual(wire)
})

test('the items of a list are converted, though the list calls them data', () => {
  expect(fromWire({ has_more: false, data: [{ user_id: 'ada', data: { a_b: 1 } }] })).toEqual({
    hasMore: false,
    data: [{ userId: 'ada', data: { a_b: 1 } }],
  })
})

test('what JSON writes in its own way stays what it is', () => {
  const expiresAt = new Date(0)
  expect(JSON.stringify(toWire({ expiresAt }))).toBe('{"expires_at":"1970-01-01T00:00:00.000Z"}')
})

test('a key called __proto__ is a key, and changes no object', () => {
  const wire = '{"apps":{"__proto__":{"session_ttl_seconds":60}},"__proto__":{"is_admin":true}}'
  const { apps, ...value } = fromWire(JSON.parse(wire)) as Record<string, object>
  expect('isAdmin' in value).toBe(false)
  expect(Object.keys(apps ?? {})).toEqual(['__proto__'])
  expect(Object.getPrototypeOf(apps)).toBe(Object.prototype)
  expect(JSON.stringify(toWire({ apps }))).toBe('{"apps":{"__proto__":{"session_ttl_seconds":60}}}')
})
