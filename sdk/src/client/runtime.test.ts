import { describe, expect, test } from 'vitest'
import { refuseBrowser, userAgent } from './runtime.ts'

const CHROME = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36'

describe('a secret key is refused', () => {
  test.each([
    ['in a page', { window: {}, document: {}, navigator: { userAgent: CHROME } }],
    ['in a page without navigator', { window: {}, document: {} }],
    ['in a worker of a browser', { navigator: { userAgent: CHROME } }],
    ['in a phone', { window: {}, navigator: { product: 'ReactNative' } }],
  ])('%s', (_, globals) => {
    expect(() => refuseBrowser(globals)).toThrow(/backend/)
  })
})

describe('a server is none', () => {
  test.each([
    ['this one', globalThis],
    ['Node', { navigator: { userAgent: 'Node.js/24' } }],
    ['Deno, which has a window', { window: {}, navigator: { userAgent: 'Deno/2.1' } }],
    ['Bun', { navigator: { userAgent: 'Bun/1.3' } }],
    ['Workers', { navigator: { userAgent: 'Cloudflare-Workers' } }],
    ['one without a navigator', {}],
  ])('%s', (_, globals) => {
    expect(() => refuseBrowser(globals)).not.toThrow()
  })
})

test('the user agent names this package and the runtime, and nothing that breaks a header', () => {
  expect(userAgent()).toMatch(/^sesame-sdk\/\d+\.\d+\.\d+ \(Node\.js\/\d+\)$/)
  expect(userAgent({})).toMatch(/ \(unknown\)$/)
  expect(userAgent({ navigator: { userAgent: 'a\r\nx: y\u2028é' } })).toMatch(/ \(ax:y\)$/)
})
