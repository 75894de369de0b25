import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { testSecretKey } from '../../test/test-keys.ts'
import { requestOf, type TransportConfig } from './wire-request.ts'

interface Operation {
  parameters?: { $ref?: string }[]
}

const { paths } = JSON.parse(
  readFileSync(new URL('../../../docs/openapi.json', import.meta.url), 'utf8'),
) as { paths: Record<string, Record<string, Operation>> }

const ROUTES = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    route: `${method.toUpperCase()} ${path}`,
    method,
    takesKey: operation.parameters?.some(({ $ref }) => $ref?.endsWith('/IdempotencyKey')) === true,
  })),
)

const CONFIG: TransportConfig = {
  secretKey: testSecretKey(),
  baseUrl: 'https://auth.example',
  tenantId: undefined,
  timeoutMs: 1_000,
  maxRetries: 0,
  fetch,
  userAgent: 'test',
}
const keyOf = (route: string, query?: object, idempotencyKey?: string): string | undefined => {
  const names = [...route.matchAll(/\{(\w+)\}/g)].map(([, name]) => [name, 'x'])
  const path = Object.fromEntries(names)
  const call = { path, ...(query && { query }), options: { idempotencyKey } }
  return requestOf(CONFIG, route, call).headers['idempotency-key']
}

describe('an Idempotency-Key', () => {
  const taking = ROUTES.filter(({ takesKey }) => takesKey)

  test('is taken by the routes that are another deed the second time', () => {
    const deletes = taking.filter(({ method }) => method !== 'post').map(({ route }) => route)
    expect(deletes.toSorted()).toEqual([
      'DELETE /v1/sessions',
      'DELETE /v1/users/{userId}/sessions',
    ])
  })

  test.each(taking)('goes with $route, another one for each call', ({ route }) => {
    expect(keyOf(route)).toMatch(/^[0-9a-f-]{36}$/)
    expect(keyOf(route)).not.toBe(keyOf(route))
    expect(keyOf(route, undefined, 'mine')).toBe('mine')
  })

  test.each(ROUTES.filter(({ takesKey, method }) => !takesKey && method !== 'post'))(
    'does not go with $route',
    ({ route }) => {
      expect(keyOf(route)).toBeUndefined()
    },
  )

  test('is not made up for what only counts', () => {
    expect(keyOf('DELETE /v1/sessions', { userId: 'ada', dryRun: true })).toBeUndefined()
    expect(keyOf('DELETE /v1/sessions', { userId: 'ada', dryRun: false })).toBeDefined()
  })
})
