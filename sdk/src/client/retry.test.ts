import { describe, expect, test } from 'vitest'
import {
  ApiError,
  ConnectionError,
  InvalidResponseError,
  TimeoutError,
  VerifierUnavailableError,
} from '../errors.ts'
import { retryDelayMs } from './retry.ts'

const most = () => 1
const least = () => 0
const api = (status: number, facts: { code?: string; retryAfterSeconds?: number } = {}) =>
  new ApiError('x', { code: 'x', ...facts, status })

describe('another attempt is made after', () => {
  test.each([408, 429, 500, 502, 503, 504, 520])('%d', status => {
    expect(retryDelayMs(api(status), 0, most)).toBe(250)
  })
  test.each([
    ['a lost connection', new ConnectionError('x', { code: 'x' })],
    ['a time-out', new TimeoutError('x', { code: 'x' })],
    ['a first request that still runs', api(409, { code: 'idempotency_in_progress' })],
  ])('%s', (_, error) => {
    expect(retryDelayMs(error, 0, most)).toBe(250)
  })
})

describe('no other attempt is made after', () => {
  test.each([400, 401, 403, 404, 405, 409, 413, 501, 505])('%d', status => {
    expect(retryDelayMs(api(status), 0, most)).toBeNull()
  })
  test.each([
    ['an answer that is none', new InvalidResponseError('x', { code: 'x', status: 200 })],
    ['an unavailable verifier', new VerifierUnavailableError('x', { code: 'jwks_unavailable' })],
    ['a reason of the caller', new Error('enough')],
    ['nothing', undefined],
  ])('%s', (_, error) => {
    expect(retryDelayMs(error, 0, most)).toBeNull()
  })
})

test('the wait doubles, is random in its whole length, and has an end', () => {
  const waits = Array.from({ length: 11 }, (_, retries) => retryDelayMs(api(500), retries, most))
  expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 8000, 8000, 8000, 8000, 8000])
  expect(retryDelayMs(api(500), 3, least)).toBe(0)
  expect(retryDelayMs(api(500), 3, () => 0.5)).toBe(1000)
})

test('who is asked to wait never comes back sooner, nor all at the same moment', () => {
  expect(retryDelayMs(api(429, { retryAfterSeconds: 7 }), 0, least)).toBe(7000)
  expect(retryDelayMs(api(503, { retryAfterSeconds: 7 }), 0, most)).toBe(7250)
  expect(retryDelayMs(api(429, { retryAfterSeconds: 60 }), 0, least)).toBe(60_000)
})

test('who is asked to wait for longer than a minute is told, and does not hang', () => {
  expect(retryDelayMs(api(429, { retryAfterSeconds: 61 }), 0, least)).toBeNull()
})
