import { describe, expect, test } from 'vitest'
import { against } from '../../test/test-client.ts'
import { testSecretKey } from '../../test/test-keys.ts'
import { sendJson, sendProblem } from '../../test/test-server.ts'
import { ApiError, ConnectionError } from '../errors.ts'
import { plainCause, redact } from './redact.ts'

const OWN_KEY = testSecretKey()
const ENTROPY = 'A'.repeat(43)
const CREDENTIALS = {
  'a secret key': `sk_live_${ENTROPY}01K3Z8Q5V7M2N4P6R8S0T1W3X5abc_-1`,
  'an operator key': `ok_${ENTROPY}`,
  'a refresh token': `rt_${ENTROPY}.${ENTROPY}`,
  'an access token': `eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhZGEifQ.${ENTROPY}`,
}

describe.each(Object.entries(CREDENTIALS))('%s of somebody is taken out', (_, credential) => {
  test.each([
    ['alone', ''],
    ['after a header name', 'authorization: Bearer '],
    ['after an encoded space', 'authorization=Bearer%20'],
    ['after an encoded equals sign', 'token%3D'],
    ['after an escaped line end', 'bad header\\n'],
    ['after an underscore', 'key_'],
    ['after a digit', '7'],
    ['after another one', `${CREDENTIALS['a secret key']}`],
    ['in JSON within JSON', '{\\"authorization\\":\\"Bearer '],
  ])('%s', (_place, before) => {
    const text = redact(`${before}${credential}" was refused`, OWN_KEY)
    expect(text).not.toContain('AAAA')
    expect(text).not.toContain('eyJ')
    expect(text).toContain('[redacted]')
    expect(text).toContain('was refused')
  })
})

test.each(['Bearer%20opaque-credential', 'bearer+opaque-credential', 'BEARER  opaque-credential'])(
  'whatever a bearer is, as in %s, is taken out',
  text => {
    expect(redact(text, OWN_KEY)).toBe('[redacted]')
  },
)

test.each([
  'CERT_HAS_EXPIRED',
  'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
  'ERR_TLS_CERT_SIGNATURE_ALGORITHM_UNSUPPORTED',
  'start_time and disk_quota must be left out of task_options',
  'signingKeyJwk is no key',
])('%s holds no credential, and stays', text => {
  expect(redact(text, OWN_KEY)).toBe(text)
})

describe('the own key', () => {
  const places = ['x', '_', '%', '\\n', 'sk_live_', 'eyJ', ' ', 'y'.repeat(1_990), 'z'.repeat(490)]

  test.each(places)('right after %s is taken out by its exact text', before => {
    const text = redact(`${before}${OWN_KEY}${before}`, OWN_KEY)
    for (let length = 16; length <= OWN_KEY.length; length++)
      expect(text).not.toContain(OWN_KEY.slice(0, length))
    expect(text.length).toBeLessThanOrEqual(500)
  })

  test('of another form is taken out as well', () => {
    expect(redact('a%opaque%b', 'opaque')).toBe('a%[redacted]%b')
  })

  test('is in no part of a cause, however deep', () => {
    const deep = Object.assign(new Error(`x${OWN_KEY}`), { name: OWN_KEY, code: `E_${OWN_KEY}` })
    const cause = plainCause(new Error(`y${OWN_KEY}`, { cause: deep }), OWN_KEY)
    const parts = [cause, cause.cause as Error & { code: string }].flatMap(error => [
      error.message,
      error.stack,
      'code' in error ? error.code : '',
    ])
    expect(parts.join()).not.toContain(OWN_KEY)
    expect(parts.join()).toContain('E_[redacted]')
  })
})

describe('whoever echoes a request', () => {
  const errorOf = (call: Promise<unknown>) => call.catch((caught: unknown) => caught)
  const everythingOf = (error: unknown): string =>
    error instanceof Error
      ? `${error.message} ${error.stack} ${JSON.stringify(error)} ${everythingOf(error.cause)}`
      : ''

  test('in a problem, its fields or a request id gives the key to no error', async () => {
    const { sessions, secretKey } = await against((response, { headers }) => {
      const echo = `key_${headers.authorization?.slice('Bearer '.length)}`
      const problem = { detail: echo, title: echo, code: echo, request_id: echo }
      const errors = [{ field: echo, message: echo }]
      sendJson(response, 400, { ...problem, errors }, { 'x-request-id': echo })
    })
    const error = await errorOf(sessions.get('ses_1'))
    expect(error).toBeInstanceOf(ApiError)
    expect(error).toMatchObject({ requestId: null, fieldErrors: [{ message: 'key_[redacted]' }] })
    expect(everythingOf(error)).not.toContain(secretKey)
  })

  test('in what fetch fails with gives the key to no error', async () => {
    const fetch = async (_: unknown, init?: RequestInit): Promise<never> => {
      const authorization = new Headers(init?.headers).get('authorization')
      throw new TypeError('fetch failed', { cause: new Error(`bad header\\n_${authorization}`) })
    }
    const { sessions, secretKey } = await against(() => {}, { fetch, maxRetries: 0 })
    const error = await errorOf(sessions.get('ses_1'))
    expect(error).toBeInstanceOf(ConnectionError)
    expect(everythingOf(error)).not.toContain(secretKey)
  })

  test('the id of a request is kept', async () => {
    const { sessions } = await against(response => sendProblem(response, 404, 'session_not_found'))
    expect(await errorOf(sessions.get('ses_1'))).toMatchObject({
      requestId: 'req_01K3Z8Q5V7M2N4P6R8S0T1W3X5',
    })
  })
})
