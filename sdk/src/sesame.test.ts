import { inspect } from 'node:util'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { against, answerWell } from '../test/test-client.ts'
import { TEST_TENANT_ID, testSecretKey } from '../test/test-keys.ts'
import { type Answerer, sendJson } from '../test/test-server.ts'
import { Sesame, type SesameOptions } from './sesame.ts'

const secretKey = testSecretKey()
const REFRESH_TOKEN = 'rt_hushhushhushhushhushhush'
const ACCESS_TOKEN = 'eyJhbGciOiJFZERTQSJ9.eyJodXNoIjoxfQ.hushhushhush'
const SECRETS = [secretKey, secretKey.slice(12, 40), 'hushhush', 'eyJodXNoIjoxfQ']

afterEach(() => {
  vi.unstubAllGlobals()
})

describe('a client that could not work is not made', () => {
  const wrong: [string, unknown][] = [
    ['no options', undefined],
    ['no key', {}],
    ['a key of something else', { secretKey: 'pk_live_hushhush' }],
    ['a misspelt option', { secretKey, timeout: 5 }],
    ['another misspelt option', { secretKey, baseURL: 'https://example.com' }],
    ['plain http', { secretKey, baseUrl: 'http://example.com' }],
    ['no time', { secretKey, timeoutMs: 0 }],
    ['half a retry', { secretKey, maxRetries: 0.5 }],
    ['no tenant id', { secretKey, tenantId: 'acme' }],
    ['a tenant id with a line end', { secretKey, tenantId: `${TEST_TENANT_ID}\n` }],
    ['no function', { secretKey, fetch: {} }],
  ]
  test.each(wrong)('%s', (_, options) => {
    expect(() => new Sesame(options as SesameOptions)).toThrow(TypeError)
  })

  test('in a browser', () => {
    vi.stubGlobal('window', {})
    vi.stubGlobal('document', {})
    expect(() => new Sesame({ secretKey })).toThrow(/backend/)
  })
})

test('plain http to another machine is a choice', () => {
  expect(
    () => new Sesame({ secretKey, baseUrl: 'http://sesame:3000', allowHttp: true }),
  ).not.toThrow()
})

test('the global fetch is the one of the moment of the call', async () => {
  const { server } = await against(answerWell)
  const sesame = new Sesame({ secretKey, baseUrl: server.url })
  const stub = vi.fn(globalThis.fetch)
  vi.stubGlobal('fetch', stub)
  await sesame.sessions.get('ses_1')
  expect(stub).toHaveBeenCalledOnce()
})

test('a fetch of its own is called as a plain function', async () => {
  const { server } = await against(answerWell)
  let receiver: unknown = 'not called'
  const fetch: typeof globalThis.fetch = function (this: unknown, input, init) {
    receiver = this
    return globalThis.fetch(input, init)
  }
  await new Sesame({ secretKey, baseUrl: server.url, fetch }).sessions.get('ses_1')
  expect(receiver).toBeUndefined()
})

/** All that a log, a debugger or an error tracker would make of it. */
function print(value: unknown): string {
  const everything = { depth: Infinity, showHidden: true, getters: true, maxStringLength: null }
  return [
    inspect(value, everything),
    JSON.stringify(value),
    String(value),
    JSON.stringify(ownOf(value, new Set())),
  ].join('\n')
}

function ownOf(value: unknown, seen: Set<unknown>): unknown {
  if (typeof value !== 'object' || value === null || seen.has(value)) return String(value)
  seen.add(value)
  return Reflect.ownKeys(value).map(key => [String(key), ownOf(Reflect.get(value, key), seen)])
}

function expectNoSecret(text: string): void {
  for (const secret of SECRETS) expect(text).not.toContain(secret)
}

describe('no secret appears', () => {
  test('in the client or in anything of it', async () => {
    const sesame = new Sesame({ secretKey, tenantId: TEST_TENANT_ID })
    const list = sesame.sessions.list({ userId: 'ada' })
    for (const value of [sesame, sesame.sessions, list, { sesame }]) expectNoSecret(print(value))
    expectNoSecret(print(structuredClone(sesame)))
    expectNoSecret(print({ ...sesame, ...sesame.sessions }))
    expectNoSecret(`${sesame.sessions.create}`)
  })

  const echo = (headers: object): string => JSON.stringify(headers)
  const leaks: [string, Answerer][] = [
    [
      'a problem that repeats the request',
      (response, { headers, body }) =>
        sendJson(response, 400, {
          code: 'request_invalid',
          title: headers.authorization,
          detail: `${echo(headers)} ${body}`,
          request_id: headers.authorization,
          errors: [{ field: headers.authorization, message: `${echo(headers)} ${body}` }],
        }),
    ],
    [
      'a page that repeats the request',
      (response, { headers, body }) => response.writeHead(502).end(`<p>${echo(headers)} ${body}`),
    ],
    [
      'a success that repeats the request',
      (response, { headers, body }) => response.writeHead(200).end(`${echo(headers)} ${body}`),
    ],
    [
      'headers that repeat it',
      (response, { headers }) =>
        response
          .writeHead(500, {
            'x-request-id': String(headers.authorization),
            'retry-after': String(headers.authorization),
          })
          .end(),
    ],
    [
      'a redirect that repeats it',
      (response, { headers }) =>
        response.writeHead(302, { location: `https://example.com/${headers.authorization}` }).end(),
    ],
    ['a lost connection', response => response.destroy()],
  ]
  test.each(leaks)('in the error of %s', async (_, answer) => {
    const { server } = await against(answer)
    const sesame = new Sesame({ secretKey, baseUrl: server.url, maxRetries: 0 })
    await expectQuietErrors(sesame)
  })

  test('in the error of a fetch that hangs the request on what it throws', async () => {
    const fetch: typeof globalThis.fetch = async (_input, init) => {
      const failure = new TypeError(`cannot send ${JSON.stringify(init)}`, {
        cause: Object.assign(new Error(`socket of ${JSON.stringify(init)}`), { request: init }),
      })
      throw Object.assign(failure, { request: init, code: `Bearer ${secretKey}` })
    }
    await expectQuietErrors(new Sesame({ secretKey, fetch, maxRetries: 0 }))
    const throwsText = () => Promise.reject(`no way with ${secretKey}`)
    await expectQuietErrors(new Sesame({ secretKey, fetch: throwsText, maxRetries: 0 }))
  })

  test('in the error of a key that was pasted wrongly', () => {
    for (const pasted of [`${secretKey}\n`, `Bearer ${secretKey}`, `${secretKey}x`, ACCESS_TOKEN]) {
      let caught: unknown
      try {
        new Sesame({ secretKey: pasted })
      } catch (error) {
        caught = error
      }
      expect(caught).toBeInstanceOf(TypeError)
      expectNoSecret(print(caught))
    }
  })
})

async function expectQuietErrors({ sessions }: Sesame): Promise<void> {
  const calls = [
    sessions.create({ userId: 'ada' }),
    sessions.verify(ACCESS_TOKEN),
    sessions.refresh({ refreshToken: REFRESH_TOKEN }),
    sessions.list().page(),
  ]
  for (const settled of await Promise.allSettled(calls)) {
    if (settled.status === 'fulfilled') throw new Error('it should have failed')
    expectNoSecret(print(settled.reason))
  }
}
