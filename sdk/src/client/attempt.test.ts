import { describe, expect, test } from 'vitest'
import { against } from '../../test/test-client.ts'
import { TEST_SESSION } from '../../test/test-keys.ts'
import { type Answerer, sendJson, sendProblem } from '../../test/test-server.ts'
import * as errors from '../errors.ts'

describe('a problem is an error of its status', () => {
  test.each([
    [400, 'request_invalid', errors.BadRequestError],
    [401, 'api_key_invalid', errors.AuthenticationError],
    [403, 'scope_missing', errors.PermissionDeniedError],
    [404, 'session_not_found', errors.NotFoundError],
    [409, 'session_not_active', errors.ConflictError],
    [429, 'rate_limit_exceeded', errors.RateLimitError],
    [500, 'internal_error', errors.ServerError],
    [503, 'service_unavailable', errors.ServerError],
    [405, 'method_not_allowed', errors.ApiError],
  ])('%d', async (status, code, errorClass) => {
    const { sessions } = await against(response => sendProblem(response, status, code))
    const error = await sessions.get('ses_1').catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(errorClass)
    expect(error).toBeInstanceOf(errors.SesameError)
    expect(error).toMatchObject({
      status,
      code,
      requestId: 'req_01K3Z8Q5V7M2N4P6R8S0T1W3X5',
      message: `A detail. (${status} ${code}, req_01K3Z8Q5V7M2N4P6R8S0T1W3X5)`,
    })
    expect(Object(error).constructor).toBe(errorClass)
  })

  test('with the fields that are wrong', async () => {
    const { sessions } = await against(response =>
      sendJson(response, 400, {
        code: 'request_invalid',
        detail: 'Not valid.',
        errors: [{ field: 'body.user_id', message: 'is required' }, null, 7, { field: 1 }],
      }),
    )
    await expect(sessions.create({ userId: '' })).rejects.toMatchObject({
      fieldErrors: [{ field: 'body.user_id', message: 'is required' }],
      message: expect.stringContaining('body.user_id is required'),
    })
  })

  test.each([
    ['a page', 502, '<html><body>502 Bad Gateway</body></html>'],
    ['nothing', 500, ''],
    ['other JSON', 404, '["not", "ours"]'],
    ['a code that is none', 404, JSON.stringify({ code: '<script>' })],
    ['null', 403, 'null'],
    ['a megabyte', 404, JSON.stringify({ code: 'x_y', detail: 'x'.repeat(1_000_000) })],
  ])('also when its body is %s', async (_, status, body) => {
    const { sessions } = await against(response => response.writeHead(status).end(body), {
      maxRetries: 0,
    })
    const error = await sessions.get('ses_1').catch((caught: unknown) => caught)
    expect(error).toMatchObject({ status, code: `http_${status}`, requestId: null })
    expect(String(error)).toContain('no problem document')
    expect(String(error).length).toBeLessThan(200)
  })

  test('of one line, whatever its text holds', async () => {
    const { sessions } = await against(response =>
      sendJson(response, 404, { code: 'x_y', detail: 'a\r\nb\u001b[31m\u2028c'.repeat(1000) }),
    )
    const error: Error = (await sessions.get('ses_1').catch((caught: Error) => caught)) as Error
    expect(error.message).not.toMatch(/[\p{Cc}\u2028]/u)
    expect(error.message.length).toBeLessThan(600)
  })
})

describe('a success that is none of Sesame is an error, and not repeated:', () => {
  const lies: [string, Answerer][] = [
    ['a page', response => response.writeHead(200, HTML).end('<html></html>')],
    ['half a document', response => response.end('{"id":"ses_1","status":')],
    ['nothing', response => response.end()],
    ['null', response => response.end('null')],
    ['a list', response => sendJson(response, 200, [TEST_SESSION])],
    ['a string', response => sendJson(response, 200, 'ses_1')],
    ['another object', response => sendJson(response, 200, { hello: 'world' })],
    ['204', response => response.writeHead(204).end()],
    ['bytes that are no text', response => response.end(Buffer.from([0x22, 0xff, 0xfe, 0x22]))],
    ['100,000 brackets', response => response.end('['.repeat(100_000) + ']'.repeat(100_000))],
    ['304', response => response.writeHead(304).end()],
  ]
  const HTML = { 'content-type': 'text/html' }

  test.each(lies)('%s', async (_, answer) => {
    const { sessions, server } = await against((response, request, n) => {
      response.setHeader('x-request-id', 'req_7')
      return answer(response, request, n)
    })
    const error = await sessions.get('ses_1').catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(errors.InvalidResponseError)
    expect(error).toMatchObject({ requestId: 'req_7' })
    expect(server.requests).toHaveLength(1)
  })

  test('a page that answers 200 to a revoke is no revoke', async () => {
    const { sessions } = await against(response => response.writeHead(200, HTML).end('<html>'))
    await expect(sessions.revoke('ses_1')).rejects.toThrow(errors.InvalidResponseError)
  })

  test.each([
    [{ valid: true }],
    [{ valid: true, session_id: 'ses_1' }],
    [{ valid: 'true', session_id: 'ses_1', user_id: 'ada' }],
    [{ valid: 1 }],
    [{ valid: false }],
    [{}],
  ])('%o to a verify is neither yes nor no', async answer => {
    const { sessions } = await against(response => sendJson(response, 200, answer))
    await expect(sessions.verify('t')).rejects.toThrow(errors.InvalidResponseError)
  })

  test('an endless body is left as soon as it is too long', async () => {
    let isGone = false
    const { sessions } = await against(response => {
      const chunk = Buffer.alloc(1024 * 1024, ' ')
      const more = () => {
        if (!isGone && response.write(chunk)) setImmediate(more)
      }
      response.on('drain', more)
      response.on('close', () => {
        isGone = true
      })
      more()
    })
    await expect(sessions.get('ses_1')).rejects.toThrow(/more than 8388608 bytes/)
    await expect.poll(() => isGone).toBe(true)
  })
})

describe('a redirect is not followed: the secret key stays here', () => {
  test.each([301, 302, 303, 307, 308])('%d', async status => {
    const thief = await against(response => sendJson(response, 200, TEST_SESSION))
    const { sessions } = await against(response =>
      response.writeHead(status, { location: `${thief.server.url}/steal?x=secret-path` }).end(),
    )
    const error = await sessions.get('ses_1').catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'redirect_refused', status })
    expect(String(error)).toContain(thief.server.url)
    expect(String(error)).not.toContain('secret-path')
    expect(thief.server.requests).toEqual([])
  })

  test('and one that a fetch followed by itself is no answer', async () => {
    const target = await against(response => sendJson(response, 200, TEST_SESSION))
    const { sessions } = await against(
      response => response.writeHead(307, { location: target.server.url }).end(),
      { fetch: (input, init) => fetch(input, { ...init, redirect: 'follow' }) },
    )
    await expect(sessions.get('ses_1')).rejects.toMatchObject({ code: 'redirect_refused' })
  })
})
