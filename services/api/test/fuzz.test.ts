import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  enforced,
  isStream,
  type JsonSchema,
  nameOf,
  type RegisteredRoute,
  withRouteTable,
} from './route-table.ts'
import { createTestApp, TEST_OPERATOR_KEY, type TestApp, type TestTenant } from './test-app.ts'

let sesame: TestApp
let tenant: TestTenant
let routes: RegisteredRoute[]
/** Ids that exist, by the name of the parameter: what is valid should also be found at times. */
let existing: Record<string, string[]>

beforeAll(async () => {
  const { made, routes: seen } = await withRouteTable(createTestApp)
  sesame = made
  routes = seen.filter(
    route => nameOf(route) !== 'DELETE /v1/tenants/:tenantId' && !isStream(route),
  )
  tenant = await sesame.tenant({ settings: { rate_limit_per_second: 1_000_000 } })
  const sessions = await Promise.all(Array.from({ length: 5 }, () => tenant.session()))
  const keys = await Promise.all(Array.from({ length: 5 }, () => tenant.withKey({})))
  const signingKeys = (await tenant.call('GET', '/v1/signing-keys')).body.data
  existing = {
    sessionId: sessions.map(({ session }) => session.id),
    apiKeyId: keys.map(({ id }) => id),
    kid: signingKeys.map(({ kid }: { kid: string }) => kid),
    // Not the one that calls: it may be suspended on the way.
    tenantId: [(await sesame.tenant()).id],
    code: ['session_not_found'],
  }
})
afterAll(() => sesame.close())

/** Long enough to be found in any answer that should not hold it. */
const PLANTED = 'sk_live_PLANTEDPLANTEDPLANTEDPLANTEDPLANTEDPLANTED'
const PLANTED_TOKEN = 'eyJhbGciOiJFZERTQSJ9.eyJwbGFudGVkIjp0cnVlfQ.c2lnbmF0dXJlcGxhbnRlZA'
const SECRETS = [PLANTED, PLANTED_TOKEN]

const HOSTILE_TEXTS = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\ud800',
  'a\udfffb',
  '\u202Egnirts',
  '\u2028',
  '\r\nx-injected: 1',
  '\x1b[31m',
  '__proto__',
  'constructor',
  'toString',
  '../../etc/passwd',
  '%00',
  '%2e%2e%2f',
  "' OR 1=1 --",
  '{{7*7}}',
  '<script>',
  '1e2',
  '0x10',
  '-0',
  'NaN',
  'true',
  'null',
  '👩‍👩‍👧‍👦',
  'ﷺ'.repeat(50),
  'x'.repeat(5000),
  ...SECRETS,
]

const hostileText = fc.constantFrom(...HOSTILE_TEXTS)
const hostileNumber = fc.constantFrom(0, -1, 1.5, 1e2, 1e308, -1e308, 2 ** 31, 2 ** 53, 5e-324)
const hostile: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: hostileText },
  { weight: 2, arbitrary: hostileNumber },
  fc.constantFrom(null, true, false),
  fc.array(hostileText, { maxLength: 3 }),
  fc.dictionary(hostileText, hostileText, { maxKeys: 3 }),
  fc.jsonValue({ maxDepth: 3 }),
)

/** Values that a schema takes, most of the time. */
function valid(schema: JsonSchema): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map(valid))
  switch (schema.type) {
    case 'string':
      return validText(schema)
    case 'integer':
      return fc.integer({ min: schema.minimum ?? 0, max: schema.maximum ?? 1000 })
    case 'boolean':
      return fc.boolean()
    case 'array':
      return fc.array(valid(schema.items ?? {}), { maxLength: 3 })
    case 'object':
      return validObject(schema)
    default:
      return fc.constant(null)
  }
}

function validText({ pattern, format, minLength = 1, maxLength = 64 }: JsonSchema) {
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern))
  if (format === 'date-time')
    return fc.date({ noInvalidDate: true, max: new Date('9999-12-31') }).map(d => d.toISOString())
  return fc.string({ unit: 'grapheme', minLength, maxLength: Math.min(maxLength, 64) })
}

function validObject({ properties = {}, patternProperties, required = [] }: JsonSchema) {
  const [values] = Object.values(patternProperties ?? {})
  if (values !== undefined)
    return fc.dictionary(fc.string({ minLength: 1, maxLength: 20 }), valid(values), { maxKeys: 4 })
  const fields = Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => [name, mostly(schema)]),
  )
  return fc.record(fields, { requiredKeys: required })
}

const mostly = (schema: JsonSchema): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 6, arbitrary: valid(schema) }, { weight: 1, arbitrary: hostile })

const objectOf = (schema: unknown): fc.Arbitrary<Record<string, unknown>> => {
  const { properties = {} } = (schema === undefined ? {} : enforced(schema)) as JsonSchema
  const known = validObject({ properties }) as fc.Arbitrary<Record<string, unknown>>
  const extra = fc.dictionary(hostileText, hostile, { maxKeys: 1 })
  return fc.oneof(
    { weight: 5, arbitrary: known },
    {
      weight: 1,
      arbitrary: fc.tuple(known, extra).map(([a, b]) => ({ ...a, ...b })),
    },
  )
}

/** Percent-encoded by somebody careless: what cannot be encoded is replaced, some is left as it is. */
const encode = (value: unknown): string =>
  encodeURIComponent(
    String(typeof value === 'object' ? JSON.stringify(value) : value).toWellFormed(),
  )

const BROKEN_ENCODINGS = ['%', '%zz', '%ED%A0%80', '%00', '%2e%2e%2f', '%c0%af', '%FF']

interface FuzzedCall {
  route: RegisteredRoute
  path: string
  payload: string | undefined
  headers: Record<string, string>
}

const CONTENT_TYPES = [
  'application/json\t',
  'application/json; charset=utf-16',
  'application/json; charset=utf-8; a=b',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/json,text/html',
  '',
]

const headersOf = fc.record(
  {
    'content-type': fc.oneof(
      { weight: 12, arbitrary: fc.constant('application/json') },
      fc.constantFrom(...CONTENT_TYPES),
    ),
    'idempotency-key': fc.constantFrom('', 'a b', 'x'.repeat(256), 'fuzz', 'ü'),
    'x-tenant-id': fc.constantFrom('', 'x', '__proto__', 'tnt_01K3Z8Q5V7M2N4P6R8S0T1W3X5'),
    'if-none-match': fc.constantFrom('*', '""', 'W/"', ',,,', 'x'.repeat(2000)),
    'x-forwarded-for': fc.constantFrom('1.2.3.4', '::1, garbage', 'x'.repeat(1000)),
    'content-encoding': fc.constantFrom('gzip', 'identity', 'br, gzip'),
    accept: fc.constantFrom('text/html', '*/*', ''),
  },
  { requiredKeys: [] },
)

const mostlyPlain = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Record<string, string>>({}) },
  { weight: 1, arbitrary: headersOf },
)

function callOf(route: RegisteredRoute): fc.Arbitrary<FuzzedCall> {
  const { params, querystring, body } = route.schema as Record<string, JsonSchema | undefined>
  const pathPart = (name: string) =>
    fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...(existing[name] ?? ['x'])) },
      { weight: 2, arbitrary: valid(params?.properties?.[name] ?? {}).map(encode) },
      { weight: 2, arbitrary: hostile.map(encode) },
      { weight: 1, arbitrary: fc.constantFrom(...BROKEN_ENCODINGS) },
    )
  const names = [...route.url.matchAll(/:(\w+)/g)].map(match => match[1] ?? '')
  const paths = fc
    .tuple(...names.map(pathPart))
    .map(parts => parts.reduce((url, part) => url.replace(/:\w+/, () => part), route.url))
  const pairs = objectOf(querystring).map(query =>
    Object.entries(query).map(([name, value]) => `${encode(name)}=${encode(value)}`),
  )
  const queries = fc
    .tuple(pairs, fc.constantFrom('', '', '', ...BROKEN_ENCODINGS), fc.boolean())
    .map(([all, broken, isTwice]) =>
      [...all, ...(isTwice && all[0] !== undefined ? [all[0]] : []), broken].filter(Boolean),
    )
  const bodies =
    body === undefined
      ? fc.constantFrom(undefined, undefined, '{}', '{"a":1}', '[')
      : fc.oneof(
          { weight: 8, arbitrary: objectOf(body).map(value => JSON.stringify(value)) },
          { weight: 1, arbitrary: hostile.map(value => JSON.stringify(value)) },
          {
            weight: 1,
            arbitrary: fc.constantFrom(
              '',
              '{',
              'null',
              '[]',
              '"x"',
              '{"__proto__":{"a":1}}',
              '{"user_id":"a","user_id":"b"}',
              `{"user_id":"${PLANTED}`,
              '['.repeat(50_000),
              '\u00a0{}',
            ),
          },
        )
  return fc
    .record({ path: paths, query: queries, payload: bodies, headers: mostlyPlain })
    .map(({ path, query, payload, headers }) => ({
      route,
      path: query.length === 0 ? path : `${path}?${query.join('&')}`,
      payload: route.method === 'GET' ? undefined : payload,
      headers: {
        ...(payload !== undefined && route.method !== 'GET'
          ? { 'content-type': 'application/json' }
          : {}),
        ...headers,
      },
    }))
}

function expectOrderly(
  { route, path, payload, headers }: FuzzedCall,
  response: Awaited<ReturnType<TestApp['app']['inject']>>,
): void {
  const { statusCode: status, body } = response
  const told = `${route.method} ${path} ${JSON.stringify(headers)} ${payload?.slice(0, 500)}`
  if (status >= 500) throw new Error(`${status} for ${told}: ${body}`)
  expect(response.headers['x-request-id']).toMatch(/^req_/)
  // A name that was accepted is the caller's own, and given back.
  for (const secret of SECRETS)
    if (status >= 400 && body.includes(secret)) throw new Error(`an echo for ${told}: ${body}`)
  if (body.includes(TEST_OPERATOR_KEY)) throw new Error(`the operator key for ${told}`)
  if (status < 400) return
  if (response.headers['content-type'] !== 'application/problem+json; charset=utf-8')
    throw new Error(`${status} is no problem document for ${told}: ${body}`)
  expect(JSON.parse(body)).toEqual({
    type: expect.stringMatching(/^http:\/\/sesame\.test\/docs\/errors\/[a-z_]+$/),
    title: expect.any(String),
    status,
    code: expect.stringMatching(/^[a-z]+(?:_[a-z]+)+$/),
    detail: expect.any(String),
    request_id: response.headers['x-request-id'],
    ...(status === 400 && { errors: expect.any(Array) }),
  })
}

/** `FUZZ_SECONDS=600` looks for longer; a failure names its seed and path, to be run again. */
const SECONDS = Number(process.env.FUZZ_SECONDS ?? 8)
const RUNS_PER_SECOND = 750

describe('whatever is sent', () => {
  it('to whichever route, it is answered in order: no 5xx, no echo of a secret', {
    timeout: (SECONDS + 30) * 1000,
  }, async () => {
    const calls = fc.oneof(...routes.map(callOf))
    const seen = new Map<string, Set<number>>()
    await fc.assert(
      fc.asyncProperty(calls, async call => {
        const { route, path, payload, headers } = call
        const credential = route.config.operator === true ? TEST_OPERATOR_KEY : tenant.secret
        const response = await sesame.app.inject({
          method: route.method as 'GET',
          url: path,
          ...(payload !== undefined && { payload }),
          headers: {
            ...(route.config.public !== true && { authorization: `Bearer ${credential}` }),
            ...headers,
          },
        })
        const statuses = seen.get(nameOf(route)) ?? new Set()
        seen.set(nameOf(route), statuses.add(response.statusCode))
        expectOrderly(call, response)
      }),
      {
        numRuns: SECONDS * RUNS_PER_SECOND,
        interruptAfterTimeLimit: SECONDS * 1000,
        markInterruptAsFailure: false,
      },
    )
    // Or else the fuzzer would prove nothing: each route was reached, and most were also content.
    expect([...seen.keys()].toSorted()).toEqual(routes.map(nameOf).toSorted())
    const content = [...seen].filter(([, statuses]) => [...statuses].some(status => status < 300))
    expect(content.length).toBeGreaterThan(routes.length * 0.7)
  })

  it('none of it has broken anything', async () => {
    const { session, access_token: token } = await tenant.session()
    const verified = await tenant.call('POST', '/v1/sessions/verify', { body: { token } })
    expect(verified.body).toMatchObject({ valid: true, session_id: session.id })
    expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain('a')
  })
})
