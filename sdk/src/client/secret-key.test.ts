import { createHash, randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { testSecretKey } from '../../test/test-keys.ts'
import { checkSecretKey } from './secret-key.ts'
import { sha256 } from './sha256.ts'

describe('a key of the right form is taken', () => {
  test.each([
    ['live', testSecretKey('live')],
    ['test', testSecretKey('test')],
    ['operator', `ok_${'a'.repeat(32)}`],
  ])('%s', (_, secretKey) => {
    expect(checkSecretKey(secretKey)).toBe(secretKey)
  })
})

describe('a key that was pasted wrongly is refused, and not repeated', () => {
  const good = testSecretKey()
  const wrongDigit = good[20] === 'A' ? 'B' : 'A'
  test.each([
    ['missing', undefined, 'is missing'],
    ['no string', { secretKey: good }, 'is missing'],
    ['empty', '', 'is empty'],
    ['with a line end', `${good}\n`, 'line end'],
    ['with a space', ` ${good}`, 'space'],
    ['with its header', `Bearer ${good}`, 'without "Bearer"'],
    ['in quotation marks', `"${good}"`, 'quotation marks'],
    ['another prefix', good.replace('sk_test', 'pk_test'), 'begins with'],
    ['a refresh token', 'rt_0123456789', 'a token of a user'],
    ['an access token', 'eyJhbGciOiJFZERTQSJ9.e30.x', 'a token of a user'],
    ['cut off', good.slice(0, -1), 'cut off'],
    ['with a line end inside', `${good.slice(0, 30)}\n${good.slice(30)}`, 'cut off'],
    ['with one wrong character', good.slice(0, 20) + wrongDigit + good.slice(21), 'checksum'],
    ['a short operator key', 'ok_short', 'cut off'],
  ])('%s', (_, secretKey, message) => {
    const error = errorOf(() => checkSecretKey(secretKey))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toContain(message)
    expect(error.message).not.toContain(good.slice(10, 20))
  })
})

test('SHA-256 is that of FIPS 180-4, at each length around its blocks', () => {
  for (let length = 0; length < 200; length++) {
    const text = randomBytes(length).toString('base64url').slice(0, length)
    const digest = createHash('sha256').update(text).digest()
    expect(Buffer.from(sha256(text)).equals(digest), `${length} characters`).toBe(true)
  }
})

function errorOf(run: () => unknown): Error {
  try {
    run()
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('nothing was thrown')
}
