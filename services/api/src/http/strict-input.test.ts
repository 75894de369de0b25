import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createHttpFixture } from '../../test/http-fixture.ts'
import { idPattern } from '../shared/ids.ts'

let app: FastifyInstance

beforeAll(async () => {
  app = (await createHttpFixture(addRoutes)).app
  await app.listen({ host: '127.0.0.1', port: 0 })
})
afterAll(() => app.close())

const Nullable = Type.Union([Type.String({ pattern: '^[a-z]+$', maxLength: 5 }), Type.Null()])
const Thing = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 1_000 }),
  org: Type.Optional(Nullable),
  age: Type.Optional(Type.Integer({ minimum: 0 })),
  kind: Type.Optional(Type.Enum(['a', 'b'])),
  metadata: Type.Optional(
    Type.Record(Type.String({ pattern: '^[a-z]+$' }), Type.String(), { maxProperties: 50 }),
  ),
})
const Filters = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20 })),
  dry_run: Type.Optional(Type.Boolean()),
  user_id: Type.Optional(Type.String({ maxLength: 128 })),
})

function addRoutes(scope: FastifyInstance): void {
  scope.post('/things', { schema: { body: Thing } }, async request => ({ got: request.body }))
  scope.get('/things', { schema: { querystring: Filters } }, async request => ({
    got: request.query,
  }))
  const params = Type.Object({ sessionId: Type.String({ pattern: idPattern('ses') }) })
  scope.get('/sessions/:sessionId', { schema: { params } }, async () => ({ ok: true }))
  scope.delete('/things', { schema: {} }, async () => ({ ok: true }))
  scope.post('/rotate', { schema: {} }, async request => ({ got: request.body ?? null }))
}

const post = (payload: string | Buffer, contentType = 'application/json') =>
  app.inject({
    method: 'POST',
    url: '/things',
    payload,
    headers: { 'content-type': contentType },
  })

const errorsOf = async (payload: unknown) => (await post(JSON.stringify(payload))).json().errors

describe('a body', () => {
  test('in order passes as it is', async () => {
    const thing = { name: 'x', org: null, age: 3, kind: 'a', metadata: { a: 'ü€😀' } }
    expect((await post(JSON.stringify(thing))).json()).toEqual({ got: thing })
  })

  test.each([
    [{}, 'name', 'is required'],
    [{ name: 5 }, 'name', 'must be a string'],
    [{ name: null }, 'name', 'must be a string'],
    [{ name: ['x'] }, 'name', 'must be a string'],
    [{ name: '' }, 'name', 'must not be empty'],
    [{ name: 'x', age: '3' }, 'age', 'must be an integer'],
    [{ name: 'x', age: -1 }, 'age', 'must be at least 0'],
    [{ name: 'x', age: 1.5 }, 'age', 'must be an integer'],
    [{ name: 'x', org: 5 }, 'org', 'must be a string, or must be null'],
    [{ name: 'x', org: 'TOO' }, 'org', 'must have the form ^[a-z]+$, or must be null'],
    [{ name: 'x', kind: 'c' }, 'kind', 'must be one of a, b'],
    [
      { name: 'x', metdata: 1 },
      'metdata',
      'is not a known field; there are name, org, age, kind, metadata',
    ],
    [{ name: 'x', metadata: { a: 1 } }, 'metadata.a', 'must be a string'],
    [{ name: 'x', metadata: { A: 'x' } }, 'metadata.A', 'is not a known field; remove it'],
    [[], 'body', 'must be an object'],
    ['text', 'body', 'must be an object'],
    [null, 'body', 'must be an object'],
  ])('%j is refused with advice', async (payload, field, message) => {
    expect(await errorsOf(payload)).toEqual([{ field, message }])
  })

  test('names every mistake at once', async () => {
    const errors = await errorsOf({ age: 'x', kind: 1, metadata: { a: 1, b: 2 }, more: 1 })
    expect(errors.map(({ field }: { field: string }) => field).sort()).toEqual(
      ['age', 'kind', 'metadata.a', 'metadata.b', 'more', 'name'].sort(),
    )
  })

  test('never has its values repeated, nor names that could be secrets', async () => {
    const secret = `sk_live_${'a'.repeat(43)}`
    const { body } = await post(
      JSON.stringify({ name: 5, age: secret, [secret]: secret, ['x'.repeat(50_000)]: 1 }),
    )
    expect(body).not.toContain('sk_live')
    expect(body.length).toBeLessThan(2_000)
  })

  test('with thousands of mistakes costs no more than it should', async () => {
    const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`k${i}`, i]))
    const started = performance.now()
    const response = await post(JSON.stringify(many))
    expect(response.statusCode).toBe(400)
    expect(response.json().errors).toHaveLength(1)
    expect(performance.now() - started).toBeLessThan(100)
  })

  test.each([
    ['nothing', ''],
    ['half of it', '{"name":'],
    ['a trailing comma', '{"name":"x",}'],
    ['two values', '{"name":"x"}{}'],
    ['a BOM', '\ufeff{"name":"x"}'],
    ['NaN', '{"name":NaN}'],
    ['a field twice', '{"name":"x","name":"y"}'],
    ['a field twice, once escaped', '{"name":"x","n\\u0061me":"y"}'],
    ['a field twice, deep', '{"name":"x","metadata":{"a":"\\"b\\":","a":"c\\\\"}}'],
    ['__proto__', '{"name":"x","__proto__":{"a":1}}'],
    ['__proto__, escaped', '{"name":"x","metadata":{"\\u005f_proto__":{"a":1}}}'],
    ['constructor.prototype', '{"name":"x","constructor":{"prototype":{"a":1}}}'],
    ['100,000 levels', `${'['.repeat(30_000)}${']'.repeat(30_000)}`],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
  ])('with %s is malformed', async (_name, payload) => {
    const response = await post(payload)
    expect([response.statusCode, response.json().code]).toEqual([400, 'body_malformed'])
  })

  test.each([
    '{"name":"a\\u0000b"}',
    '{"name":"\\ud800"}',
    '{"name":"\\udc00\\ud800"}',
    '{"name":"x","metadata":{"\\u0000":"x"}}',
    '{"name":"x","metadata":{"a":"\\uDFFF"}}',
    '"\\u0000"',
  ])('with %s in it is refused', async payload => {
    expect((await post(payload)).statusCode).toBe(400)
  })

  test.each(['{"name":"\\ud83d\\ude00"}', '{"name":"a \\"b\\": c\\\\"}', ' { "name" : "x" } '])(
    'like %s is fine',
    async payload => {
      expect((await post(payload)).statusCode).toBe(200)
    },
  )

  test.each([
    'text/plain',
    'application/json; charset=latin1',
    'application/json; charset=utf-8; charset=latin1',
    'application/json\t; charset=utf-8',
    'application/json; foo=bar',
    'application/json junk',
    'application/jsonx',
    'application/x-www-form-urlencoded',
    'junk',
  ])('as %s is 415', async contentType => {
    const response = await post('{"name":"x"}', contentType)
    expect([response.statusCode, response.json().code]).toEqual([415, 'content_type_unsupported'])
  })

  test.each([
    'application/json',
    'application/json; charset=utf-8',
    'Application/JSON;charset=UTF-8',
  ])('as %s is fine', async contentType => {
    expect((await post('{"name":"x"}', contentType)).statusCode).toBe(200)
  })

  test('that is compressed is 415', async () => {
    const response = await app.inject({
      method: 'POST',
      url: '/things',
      payload: '{"name":"x"}',
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    })
    expect(response.statusCode).toBe(415)
  })
})

describe('a route without a body', () => {
  const call = (method: 'GET' | 'POST' | 'DELETE', url: string, payload?: string) =>
    app.inject({
      method,
      url,
      headers: { 'content-type': 'application/json' },
      ...(payload === undefined ? {} : { payload }),
    })

  test('takes none, the header of one, or an empty object', async () => {
    expect((await call('POST', '/rotate')).json()).toEqual({ got: null })
    expect((await call('POST', '/rotate', '{}')).json()).toEqual({ got: null })
    expect((await call('DELETE', '/things')).statusCode).toBe(200)
    expect((await call('GET', '/things')).statusCode).toBe(200)
  })

  test('refuses everything else', async () => {
    expect((await call('POST', '/rotate', '{"a":1}')).statusCode).toBe(400)
    expect((await call('POST', '/rotate', '[]')).statusCode).toBe(400)
    expect((await call('POST', '/rotate', 'null')).statusCode).toBe(400)
    expect((await call('DELETE', '/things', '{"a":1}')).statusCode).toBe(400)
    expect((await call('GET', '/things', '{}')).statusCode).toBe(400)
    expect((await call('DELETE', '/things', 'x'.repeat(70_000))).statusCode).toBe(413)
  })
})

describe('a query', () => {
  const get = (query: string) => app.inject(`/things?${query}`)

  test('is converted from the one spelling of each value, and nothing is added', async () => {
    const response = await get('limit=20&dry_run=true&user_id=a%40b+c')
    expect(response.json()).toEqual({ got: { limit: 20, dry_run: true, user_id: 'a@b c' } })
    expect((await get('')).json()).toEqual({ got: {} })
  })

  test.each([
    ['limit=1e2', 'query.limit', 'must be an integer'],
    ['limit=%205', 'query.limit', 'must be an integer'],
    ['limit=%2B5', 'query.limit', 'must be an integer'],
    ['limit=05', 'query.limit', 'must be an integer'],
    ['limit=5.0', 'query.limit', 'must be an integer'],
    ['limit=-5', 'query.limit', 'must be an integer'],
    ['limit=0x5', 'query.limit', 'must be an integer'],
    ['limit=', 'query.limit', 'must be an integer'],
    ['limit=5&limit=6', 'query.limit', 'is given twice; give it once'],
    ['user_id=a&user_id=a&user_id=b', 'query.user_id', 'is given twice; give it once'],
    ['user_id=%ff', 'query.user_id', 'is not valid percent-encoding'],
    ['limit=101', 'query.limit', 'must be at most 100'],
    ['limit=9999999999999999', 'query.limit', 'must be at most 100'],
    ['dry_run=1', 'query.dry_run', 'must be a boolean'],
    ['dry_run=TRUE', 'query.dry_run', 'must be a boolean'],
    ['uesr_id=a', 'query.uesr_id', 'is not a known parameter; there are limit, dry_run, user_id'],
    [
      '__proto__=a',
      'query.__proto__',
      'is not a known parameter; there are limit, dry_run, user_id',
    ],
    ['user_id[]=a', 'query.*', 'is not a known parameter; there are limit, dry_run, user_id'],
  ])('%s is refused with advice', async (query, field, message) => {
    const response = await get(query)
    expect(response.statusCode).toBe(400)
    expect(response.json().errors).toEqual([{ field, message }])
  })

  test('is refused on a route that declares none', async () => {
    const response = await app.inject({ method: 'DELETE', url: '/things?user_id=a' })
    expect(response.statusCode).toBe(400)
    expect(response.json().errors[0].field).toBe('query.user_id')
  })
})

describe('a path', () => {
  test('with an id that cannot be is the 404 of one that does not exist', async () => {
    for (const id of ['nope', 'ses_1', 'tnt_01K3Z8Q5V7M2N4P6R8S0T1W3X5', "'%20or%201=1"]) {
      const response = await app.inject(`/sessions/${id}`)
      expect([response.statusCode, response.json().code]).toEqual([404, 'session_not_found'])
    }
  })

  test('with NUL or raw bytes is refused', async () => {
    expect((await app.inject('/sessions/%00')).statusCode).toBe(400)
    expect((await app.inject('/things?user_id=a%00')).statusCode).toBe(400)
    expect(await sendRaw('GET /sessions/\xe9 HTTP/1.1\r\nHost: a\r\n\r\n')).toMatch(/ 400 /)
  })
})

describe('a secret in a URL', () => {
  const jwt = 'eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1c3JfMSJ9.c2lnbmF0dXJl'
  test.each([
    '/things?user_id=sk_live_abcdefgh12345678',
    '/things?api_key=sk_test_abcdefgh12345678',
    '/things?a=%73k_live_abcdefgh12345678',
    '/sessions/rt_0123456789012345678901234567',
    '/things?token=ok_0123456789012345678901234567',
    `/things?access_token=${jwt}`,
    `/nowhere/${jwt}`,
  ])('%s is refused with a hint and without an echo', async url => {
    const response = await app.inject(url)
    expect(response.statusCode).toBe(400)
    expect(response.json().detail).toContain('secret')
    expect(response.body).not.toMatch(/abcdefgh|012345|eyJ/)
  })

  test.each(['user_id=ok_user', 'user_id=port_0123456789012345678901234567'])(
    'is not seen in %s',
    async query => {
      expect((await app.inject(`/things?${query}`)).statusCode).toBe(200)
    },
  )
})

describe('a header that comes twice', () => {
  test.each(['Authorization', 'X-Tenant-ID', 'idempotency-key', 'CONTENT-TYPE', 'Host'])(
    '%s is refused',
    async name => {
      const twice = `${name}: a\r\n${name.toLowerCase()}: b\r\n`
      const host = name === 'Host' ? '' : 'Host: a\r\n'
      const answer = await sendRaw(`GET /things HTTP/1.1\r\n${host}${twice}\r\n`)
      expect(answer).toMatch(/^HTTP\/1.1 400 /)
      expect(answer).toContain(`header.${name.toLowerCase()}`)
    },
  )

  test('is no matter where it may', async () => {
    const accept = 'Accept: a\r\nAccept: b\r\n'
    expect(await sendRaw(`GET /things HTTP/1.1\r\nHost: a\r\n${accept}\r\n`)).toMatch(/ 200 /)
  })
})

async function sendRaw(request: string): Promise<string> {
  const { port } = app.server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(request, 'latin1')
  const [answer] = await once(socket, 'data')
  socket.destroy()
  return String(answer)
}
