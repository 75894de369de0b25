import { describe, expect, test } from 'vitest'
import { checkBaseUrl } from './base-url.ts'

describe('is taken, without a slash at the end', () => {
  test.each([
    [undefined, 'http://127.0.0.1:3000'],
    ['https://auth.example.com', 'https://auth.example.com'],
    ['https://auth.example.com/', 'https://auth.example.com'],
    ['https://example.com/auth//', 'https://example.com/auth'],
    ['HTTPS://Auth.Example.COM:443', 'https://auth.example.com'],
    ['http://localhost:3000', 'http://localhost:3000'],
    ['http://sesame.localhost', 'http://sesame.localhost'],
    ['http://127.1.2.3:80', 'http://127.1.2.3'],
    ['http://[::1]:3000/', 'http://[::1]:3000'],
  ])('%s', (baseUrl, expected) => {
    expect(checkBaseUrl(baseUrl)).toBe(expected)
  })
})

describe('is refused, since the secret key would travel in plain text', () => {
  test.each([
    'http://auth.example.com',
    'http://10.0.0.1',
    'http://127.0.0.1.example.com',
    'http://localhost.example.com',
    'http://notlocalhost',
    'http://0.0.0.0',
  ])('%s', baseUrl => {
    expect(() => checkBaseUrl(baseUrl)).toThrow(/plain http.*https/)
    expect(checkBaseUrl(baseUrl, true)).toBe(baseUrl)
  })
})

describe('is refused, as no such URL', () => {
  test.each([
    '',
    'auth.example.com',
    'ftp://example.com',
    'javascript:alert(1)',
    '//example.com',
    null,
    new URL('https://example.com'),
  ])('%s', baseUrl => {
    expect(() => checkBaseUrl(baseUrl)).toThrow(TypeError)
  })

  test.each([
    'https://user:hush@example.com',
    'https://hush@example.com',
    'https://example.com?key=hush',
    'https://example.com#hush',
    'https://hush:hush@:99999',
  ])('%s, and not repeated', baseUrl => {
    expect(() => checkBaseUrl(baseUrl)).toThrow(expect.not.stringContaining('hush'))
  })
})
