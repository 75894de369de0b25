import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createHttpFixture, type HttpFixture, PUBLIC_URL } from '../../test/http-fixture.ts'
import { Problem } from '../shared/problem.ts'

let fixture: HttpFixture
let app: FastifyInstance
let port: number

beforeAll(async () => {
  fixture = await createHttpFixture(addRoutes)
  app = fixture.app
  await app.listen({ host: '127.0.0.1', port: 0 })
  port = (app.server.address() as AddressInfo).port
})

afterAll(() => app.close())

function addRoutes(scope: FastifyInstance): void {
  const body = Type.Object({ name: Type.Optional(Type.String({ maxLength: 70_000 })) })
  scope.post('/things', { schema: { body } }, async request => ({ got: request.body }))
  scope.get('/things/:thingId', async () => ({ ok: true }))
  scope.delete('/things/:thingId', async () => ({ ok: true }))
  scope.get<{ Querystring: { how: string } }>(
    '/throw',
    { schema: { querystring: Type.Object({ how: Type.String() }) } },
    async request => {
      throw THROWN[request.query.how]
    },
  )
  scope.get('/cached', async (_request, reply) => {
    reply.header('cache-control', 'public, max-age=300').header('etag', '"1"')
    throw new Problem('session_not_found')
  })
}

const THROWN: Record<string, unknown> = {
  problem: new Problem('session_not_active', { detail: 'It ended.', internal: 'inside' }),
  unauthenticated: new Problem('api_key_invalid'),
  bug: new TypeError('secret inside at /srv/app'),
  text: 'a text',
  nothing: null,
  refused: Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }),
  shutdown: Object.assign(new Error('terminating'), { code: '57P01' }),
  poolTimeout: new Error('timeout exceeded when trying to connect'),
  readTimeout: new Error('Query read timeout'),
  prisma: Object.assign(new Error('x'), { name: 'PrismaClientKnownRequestError', code: 'P2024' }),
  adapter: Object.assign(new Error('x'), { cause: { kind: 'DatabaseNotReachable' } }),
  several: new AggregateError([Object.assign(new Error('x'), { code: 'ECONNREFUSED' })]),
  constraint: Object.assign(new Error('duplicate key'), { code: '23505' }),
}

const thrown = (how: string) => app.inject(`/throw?how=${how}`)

describe('a problem', () => {
  test('is rendered as RFC 9457 with the registry text and nothing of the inside', async () => {
    const response = await thrown('problem')
    expect(response.statusCode).toBe(409)
    expect(response.headers['content-type']).toBe('application/problem+json; charset=utf-8')
    expect(response.json()).toEqual({
      type: `${PUBLIC_URL}/docs/errors/session_not_active`,
      title: 'The session has ended',
      status: 409,
      code: 'session_not_active',
      detail: 'It ended.',
      request_id: response.headers['x-request-id'],
    })
  })

  test('names the way to authenticate on 401', async () => {
    const response = await thrown('unauthenticated')
    expect([response.statusCode, response.headers['www-authenticate']]).toEqual([401, 'Bearer'])
  })

  test('is never stored by a cache, whatever the route had said before', async () => {
    const { headers } = await app.inject('/cached')
    expect(headers['cache-control']).toBe('no-store')
    expect(headers.etag).toBeUndefined()
  })
})

describe('an error of ours', () => {
  test.each(['bug', 'text', 'nothing', 'constraint'])(
    '%s is a 500 that tells nothing',
    async how => {
      const before = fixture.lines.length
      const response = await thrown(how)
      expect(response.statusCode).toBe(500)
      expect(response.json()).toMatchObject({ code: 'internal_error' })
      expect(response.body).not.toMatch(/secret|srv|duplicate|TypeError/)
      await sleep(5)
      const errors = fixture.lines.slice(before).filter(line => line.includes('"level":"error"'))
      expect(errors).toHaveLength(1)
    },
  )

  test('is logged with its stack', async () => {
    await thrown('bug')
    const line = fixture.lines.findLast(text => text.includes('TypeError')) ?? ''
    expect(JSON.parse(line)).toMatchObject({ level: 'error', err: { type: 'TypeError' } })
    expect(line).toContain('problem-handler.test')
  })

  test.each(['refused', 'shutdown', 'poolTimeout', 'readTimeout', 'prisma', 'adapter', 'several'])(
    '%s of a database that is away is a 503 with Retry-After',
    async how => {
      const response = await thrown(how)
      expect(response.statusCode).toBe(503)
      expect(response.headers['retry-after']).toBe('1')
      expect(response.json()).toMatchObject({ code: 'service_unavailable' })
    },
  )
})

describe('a route that is not there', () => {
  test('is 404 and does not repeat the URL', async () => {
    const response = await app.inject('/nowhere/<script>?token=abc')
    expect(response.statusCode).toBe(404)
    expect(response.json()).toMatchObject({ code: 'route_not_found' })
    expect(response.body).not.toMatch(/nowhere|script|abc/)
  })

  test('is 404 for a body of any kind too', async () => {
    const post = (payload: string) =>
      app.inject({ method: 'POST', url: '/no', payload, headers: JSON_TYPE })
    expect((await post('{')).statusCode).toBe(404)
    expect((await post('{}')).statusCode).toBe(404)
  })

  test.each([
    ['PUT', '/things', 'POST'],
    ['OPTIONS', '/things', 'POST'],
    ['HEAD', '/things', 'POST'],
    ['GET', '/things?x=1', 'POST'],
    ['PATCH', '/things/ses_1', 'GET, HEAD, DELETE'],
  ] as const)('%s %s is 405 with Allow', async (method, url, allow) => {
    const response = await app.inject({ method, url })
    expect([response.statusCode, response.headers.allow]).toEqual([405, allow])
    if (method !== 'HEAD') expect(response.json()).toMatchObject({ code: 'method_not_allowed' })
  })

  test('is 400 when its path cannot be decoded, 414 when a part of it is too long', async () => {
    expect((await app.inject('/things/%ff')).json()).toMatchObject({ code: 'request_invalid' })
    const long = await app.inject(`/things/${'a'.repeat(500)}`)
    expect(long.json()).toMatchObject({ code: 'uri_too_long', status: 414 })
    expect(long.headers['x-content-type-options']).toBe('nosniff')
    expect(long.headers['x-request-id']).toMatch(/^req_/)
    expect((await app.inject(`/things/a?b=${'c'.repeat(9_000)}`)).statusCode).toBe(414)
  })
})

const JSON_TYPE = { 'content-type': 'application/json' }

describe('on the socket', () => {
  test('a body over 64 KB is 413, and a caller that still sends sees that', async () => {
    const response = await fetch(`http://127.0.0.1:${port}/things`, {
      method: 'POST',
      headers: JSON_TYPE,
      body: JSON.stringify({ name: 'x'.repeat(10_000_000) }),
    })
    expect(response.status).toBe(413)
    expect(await response.json()).toMatchObject({ code: 'body_too_large' })
  })

  test('so is one that does not say how long it is', async () => {
    const chunk = `${(1_000).toString(16)}\r\n${'x'.repeat(1_000)}\r\n`
    const head = 'POST /things HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n'
    const answer = await send(`${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(100)}`)
    expect(answer).toMatch(/^HTTP\/1.1 413 /)
  })

  test('a body of 64 KB to the byte is taken', async () => {
    const wrapping = JSON.stringify({ name: '' }).length
    const name = 'x'.repeat(65_536 - wrapping)
    const post = (text: string) =>
      app.inject({ method: 'POST', url: '/things', payload: { name: text } })
    expect((await post(name)).statusCode).toBe(200)
    expect((await post(`${name}x`)).statusCode).toBe(413)
  })

  test.each([
    ['no HTTP at all', 'hello\r\n\r\n', 400, 'request_invalid'],
    ['a bare LF', 'GET / HTTP/1.1\nHost: a\n\n', 400, 'request_invalid'],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400, 'request_invalid'],
    ['obs-fold', 'GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n', 400, 'request_invalid'],
    [
      'Content-Length with Transfer-Encoding',
      'POST /things HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}',
      400,
      'request_invalid',
    ],
    [
      'two Content-Lengths',
      'POST /things HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}',
      400,
      'request_invalid',
    ],
    [
      'headers of 100 KB',
      `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`,
      431,
      'headers_too_large',
    ],
  ])('%s is answered in the same form', async (_name, request, status, code) => {
    const answer = await send(request)
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    if (code === null) return
    const [head = '', body = ''] = answer.split('\r\n\r\n')
    expect(head).toMatch(/application\/problem\+json/)
    expect(head).toMatch(/x-request-id: req_/)
    expect(JSON.parse(body)).toMatchObject({ status, code, request_id: expect.any(String) })
  })

  test('an answer that has begun is not followed by another', async () => {
    const first = 'GET /things/a HTTP/1.1\r\nHost: a\r\n\r\n'
    const answer = await send(`${first}junk\r\n\r\n`)
    expect(answer.match(/HTTP\/1\.1/g)?.length ?? 0).toBeLessThanOrEqual(2)
  })
})

async function send(request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  let answer = ''
  socket.setEncoding('utf8').on('data', chunk => {
    answer += chunk
  })
  await once(socket, 'connect')
  socket.write(request)
  await Promise.race([once(socket, 'close'), sleep(700)])
  socket.destroy()
  return answer
}
