import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { describeUserAgent } from './user-agent.ts'

const NOTHING = { name: null, type: 'other', os: null, browser: null }

const CHROME =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36'

describe('describeUserAgent', () => {
  it.each([null, '', ' ', '\u0000', 'Mozilla/5.0', '-', '\ud800', '\u2028', '<script>', '/', '()'])(
    'knows nothing of %j',
    userAgent => {
      expect(describeUserAgent(userAgent)).toEqual(NOTHING)
    },
  )

  it('says the same again for the same user agent, and after many others', () => {
    const first = describeUserAgent(CHROME)
    expect(describeUserAgent(CHROME)).toEqual(first)
    for (let index = 0; index < 2000; index++) describeUserAgent(`curl/${index}`)
    expect(describeUserAgent(CHROME)).toEqual(first)
  })

  it('cannot be changed by one who got an answer', () => {
    const description = describeUserAgent(CHROME)
    expect(() => Object.assign(description, { name: 'hacked' })).toThrow(TypeError)
    expect(describeUserAgent(CHROME).name).toBe('Chrome on Windows')
  })

  it('reads the first 512 characters alone', () => {
    expect(describeUserAgent(CHROME + ' '.repeat(8192))).toEqual(describeUserAgent(CHROME))
    expect(describeUserAgent(' '.repeat(512) + CHROME)).toEqual(NOTHING)
  })

  it('answers with short printable text for anything', () => {
    const words = fc.constantFrom(...PARTS)
    const junk = fc.string({ unit: 'binary', maxLength: 600 })
    const made = fc.array(fc.oneof(words, fc.string({ unit: 'binary', maxLength: 20 })))
    fc.assert(
      fc.property(
        fc.oneof(
          junk,
          made.map(parts => parts.join('')),
        ),
        userAgent => {
          expectBounded(describeUserAgent(userAgent))
        },
      ),
      { numRuns: 3000 },
    )
  })

  it('gets through thousands of hostile user agents of 8 KB', () => {
    for (const prefix of ['', 'Mozilla/5.0 (', 'Opera/', 'Mozilla/5.0 (Linux; Android 10; ']) {
      for (const one of PARTS) {
        for (const other of ['', ' ', 'a', '1', ';', '\u0000', '\ud800', '/1.', ')']) {
          expectBounded(describeUserAgent(prefix + (one + other).repeat(8192).slice(0, 8192)))
        }
      }
    }
  })
})

function expectBounded({ name, type, os, browser }: ReturnType<typeof describeUserAgent>): void {
  expect(['desktop', 'mobile', 'tablet', 'bot', 'other']).toContain(type)
  for (const text of [name, os, browser]) {
    if (text !== null) expect(text).toMatch(/^[\x21-\x7e][\x20-\x7e]{0,99}$/)
  }
}

/** What the patterns look for, whole and broken off. */
const PARTS = [
  ...['Mozilla/5.0 ', 'Opera/9.80 ', 'UCWEB/2.0 ', 'AppleWebKit/537.36 ', 'Chrome/1', 'Chrome/1.'],
  ...[
    'Version/1.',
    'version/1_1',
    'Safari/537.36 ',
    'Firefox/1',
    'FxiOS/1',
    'Edg/1',
    'OPR/1.',
    'OPT/1',
  ],
  ...[
    '(iPhone; CPU iPhone OS 1_',
    'iPad',
    'iPod',
    'Macintosh',
    'OS 1_',
    ' like Mac OS X',
    'like android',
  ],
  ...[
    'Windows NT 1',
    'Windows Phone ',
    'Android 1.',
    'Android',
    'Linux',
    'CrOS ',
    'Tizen/1.',
    'KAIOS/',
  ],
  ...[
    '; wv)',
    'Electron/',
    'Mobile',
    ' mobi',
    'Tablet',
    'tablet pc',
    'Nexus 7',
    'PlayBook',
    'Phone',
  ],
  ...[
    'bot',
    'Googlebot/1',
    'Cubot',
    '-bot',
    'spider',
    'crawler',
    'linespider-',
    'slackbot-a',
    'yahoo! ',
  ],
  ...[
    'FBAN/',
    'Instagram ',
    'Line/1',
    'GSA/',
    'Slack/',
    'Web0S',
    'SMART-TV',
    'PlayStation 5',
    'Xbox; ',
  ],
  ...[
    'okhttp/1',
    'Dalvik/',
    'curl',
    'a',
    'a/1',
    'a b/1',
    '%20',
    '%0a',
    '1',
    '1.',
    '.',
    '_',
    '-',
    ';',
    '; ',
  ],
  ...[
    ' ',
    '  ',
    '\t',
    '\n',
    '\r\n',
    '\u0000',
    '\u001b[31m',
    '\u0085',
    '\u2028',
    '\u202e',
    '\ufeff',
  ],
  ...[
    '\ud800',
    '\udc00',
    '😀',
    'é',
    'ı',
    'ſ',
    'K',
    '(',
    ')',
    '((',
    '\\',
    '"',
    "'",
    '<',
    '/',
    '//',
    '[',
    ']',
  ],
]
