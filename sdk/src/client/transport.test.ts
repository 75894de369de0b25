import { describe, expect, test } from 'vitest'
import { afterFailures, against, answerWell } from '../../test/test-client.ts'
import { TEST_TENANT_ID } from '../../test/test-keys.ts'
import { type Answerer, sendJson, sendProblem } from '../../test/test-server.ts'
import { ConnectionError, RateLimitError } from '../errors.ts'

describe('a request', () => {
  test('carries what the service needs, and nothing in its URL', async () => {
    const { sessions, server, secretKey } = await against(answerWell, {
      tenantId: TEST_TENANT_ID,
    })
    const made = await sessions.create({ userId: 'ada', metadata: { my_key: 'v' } })
    expect(made.session.metadata).toEqual({ my_key: 'stays' })
    const [request] = server.requests
    expect(request?.url).toBe('/v1/sessions')
    expect(JSON.parse(request?.body ?? '')).toEqual({ user_id: 'ada', metadata: { my_key: 'v' } })
    expect(request?.headers).toMatchObject({
      authorization: `Bearer ${secretKey}`,
      'content-type': 'application/json',
      'x-tenant-id': TEST_TENANT_ID,
      'user-agent': 'sesame-sdk/test',
    })
  })

  test('goes below a path in front of the API', async () => {
    const { sessions, server } = await against(answerWell)
    const { url } = server
    const prefixed = await against(answerWell, { baseUrl: `${url}/auth` })
    await prefixed.sessions.get('ses_1')
    await sessions.get('ses_1')
    expect(server.requests.map(request => request.url)).toEqual([
      '/auth/v1/sessions/ses_1',
      '/v1/sessions/ses_1',
    ])
  })

  test('acts in another tenant for one call', async () => {
    const { sessions, server } = await against(answerWell)
    await sessions.get('ses_1', { tenantId: TEST_TENANT_ID })
    await sessions.get('ses_1')
    expect(server.requests.map(request => request.headers['x-tenant-id'])).toEqual([
      TEST_TENANT_ID,
      undefined,
    ])
  })

  test.each(['', '.', '..', '../tenants', undefined])(
    'to the session %s is never sent',
    async id => {
      const { sessions, server } = await against(answerWell)
      await expect(sessions.revoke(id as string)).rejects.toThrow(TypeError)
      await expect(sessions.get(id as string)).rejects.toThrow(/^sessionId is /)
      expect(server.requests).toEqual([])
    },
  )

  test.each([
    { timeoutMs: 0 },
    { timeoutMs: Number.NaN },
    { timeoutMs: 2 ** 31 },
    { maxRetries: -1 },
    { maxRetries: 11 },
    { tenantId: 'acme' },
    { idempotencyKey: 'two words' },
    { idempotencyKey: '' },
  ])('with the option %o is never sent', async options => {
    const { sessions, server } = await against(answerWell)
    await expect(sessions.create({ userId: 'ada' }, options)).rejects.toThrow(TypeError)
    expect(server.requests).toEqual([])
  })
})

describe('a failure that passes is survived:', () => {
  const failures: [string, Answerer][] = [
    ['500', response => sendProblem(response, 500, 'internal_error')],
    ['503', response => sendProblem(response, 503, 'service_unavailable')],
    ['408', response => sendProblem(response, 408, 'request_timeout')],
    ['429', response => sendProblem(response, 429, 'rate_limit_exceeded')],
    ['409, it still runs', response => sendProblem(response, 409, 'idempotency_in_progress')],
    ['a page of a proxy', response => response.writeHead(502).end('<html>Bad gateway</html>')],
    ['a reset before the answer', response => response.destroy()],
    [
      'a reset within the answer',
      response => {
        response.writeHead(200, { 'content-length': '1000' })
        response.write('{"session":')
        setImmediate(() => response.destroy())
      },
    ],
    [
      'a reset within chunks',
      response => {
        response.writeHead(200)
        response.write('{"session":')
        setImmediate(() => response.destroy())
      },
    ],
    ['what is no HTTP', response => response.socket?.end('SSH-2.0-OpenSSH\r\n')],
  ]

  test.each(failures)('%s', async (_, fail) => {
    const { sessions, server, waits } = await against(afterFailures(2, fail))
    await expect(sessions.create({ userId: 'ada' })).resolves.toMatchObject({ accessToken: 'a' })
    expect(waits).toEqual([125, 250])
    const keys = server.requests.map(request => request.headers['idempotency-key'])
    expect(keys).toHaveLength(3)
    expect(new Set(keys).size, 'one key for all attempts').toBe(1)
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/)
    expect(new Set(server.requests.map(request => request.body)).size).toBe(1)
  })

  test('also a PATCH and a DELETE, which are the same when they are done twice', async () => {
    const { sessions, server } = await against(afterFailures(1, response => response.destroy()))
    await sessions.revoke('ses_1')
    expect(server.requests).toHaveLength(2)
    const other = await against(afterFailures(1, response => response.destroy()))
    await other.sessions.update('ses_1', { role: 'admin' })
    expect(other.server.requests).toHaveLength(2)
  })

  test('also a revoke of many, with one key for all attempts', async () => {
    const revoked: Answerer = (response, _, n) =>
      n < 2 ? response.destroy() : sendJson(response, 200, { revoked: 2 })
    const { sessions, server } = await against(revoked)
    expect(await sessions.revokeAll({ userId: 'ada' })).toEqual({ revoked: 2 })
    const keys = server.requests.map(request => request.headers['idempotency-key'])
    expect(keys).toHaveLength(3)
    expect(new Set(keys).size).toBe(1)
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/)
    await sessions.revokeAll({ all: true }, { idempotencyKey: 'breach-7' })
    expect(server.requests.at(-1)?.headers['idempotency-key']).toBe('breach-7')
  })

  test('two calls never share a key, unless the caller says so', async () => {
    const { sessions, server } = await against(answerWell)
    await Promise.all([sessions.create({ userId: 'ada' }), sessions.create({ userId: 'ada' })])
    await sessions.create({ userId: 'ada' }, { idempotencyKey: 'sign-in-7' })
    const keys = server.requests.map(request => request.headers['idempotency-key'])
    expect(new Set(keys).size).toBe(3)
    expect(keys[2]).toBe('sign-in-7')
  })

  test('not without retries, and not for longer than allowed', async () => {
    const { sessions, server } = await against(response => response.destroy())
    await expect(sessions.get('ses_1', { maxRetries: 0 })).rejects.toThrow(ConnectionError)
    expect(server.requests).toHaveLength(1)
    await expect(sessions.get('ses_1')).rejects.toThrow(ConnectionError)
    expect(server.requests).toHaveLength(4)
  })
})

describe('Retry-After', () => {
  test('in seconds is waited for', async () => {
    const fail: Answerer = response =>
      sendProblem(response, 429, 'rate_limit_exceeded', { 'retry-after': '3' })
    const { sessions, waits } = await against(afterFailures(1, fail))
    await sessions.get('ses_1')
    expect(waits).toEqual([3125])
  })

  test('as a date counts from the clock of the server, whatever ours says', async () => {
    const fail: Answerer = response =>
      sendProblem(response, 503, 'service_unavailable', {
        date: 'Tue, 01 Jan 2030 00:00:00 GMT',
        'retry-after': 'Tue, 01 Jan 2030 00:00:05 GMT',
      })
    const { sessions, waits } = await against(afterFailures(1, fail))
    await sessions.get('ses_1')
    expect(waits).toEqual([5125])
  })

  test('of more than a minute fails at once, and says how long', async () => {
    const { sessions, server } = await against(response =>
      sendProblem(response, 429, 'rate_limit_exceeded', { 'retry-after': '3600' }),
    )
    const error = await sessions.get('ses_1').catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(RateLimitError)
    expect(error).toMatchObject({ retryAfterSeconds: 3600 })
    expect(server.requests).toHaveLength(1)
  })

  test.each(['-5', 'soon', '1e9', '99999999999999999999', '', '0x10'])(
    'as %s is no reason to wait',
    async value => {
      const fail: Answerer = response =>
        sendProblem(response, 429, 'rate_limit_exceeded', { 'retry-after': value })
      const { sessions, waits } = await against(afterFailures(1, fail))
      await sessions.get('ses_1')
      expect(waits).toEqual([125])
    },
  )
})
