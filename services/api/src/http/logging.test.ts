import { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { createHttpFixture } from '../../test/http-fixture.ts'
import { scrubSecrets } from './log-line.ts'
import { createLogger } from './logging.ts'

const SECRET = `sk_live_${'Ab3-_'.repeat(15)}`
const REFRESH = `rt_${'x'.repeat(43)}`
const JWT = 'eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1c3JfMSJ9.c2lnbmF0dXJl'

function capture() {
  const lines: string[] = []
  const destination = new Writable({
    decodeStrings: false,
    write(line, _encoding, done) {
      lines.push(String(line))
      done()
    },
  })
  return { log: createLogger({ level: 'debug', destination }), lines }
}

describe('a line', () => {
  test.each([
    ['CR and LF', 'a\r\n{"level":"fatal"}'],
    ['ANSI', '\u001b[31mred\u009b31m'],
    ['line separators', 'a\u2028b\u2029c\u202ed'],
    ['1 MB', 'x'.repeat(1_000_000)],
    ['1 MB of quotes', '"'.repeat(1_000_000)],
    ['half a surrogate pair', '\ud800'],
  ])('with %s in it stays one bounded line of JSON', (_name, text) => {
    const { log, lines } = capture()
    log.info({ user_agent: text, deep: { list: [text] } }, text)
    expect(lines).toHaveLength(1)
    const line = lines[0] ?? ''
    expect(line.length).toBeLessThan(9_000)
    expect(line.trimEnd()).toMatch(/^[\u0020-\u007e\u00a0-\u2027\u202f-\uffff]+$/)
    expect(JSON.parse(line)).toMatchObject({ level: 'info' })
  })

  test('with thousands of fields stays bounded', () => {
    const { log, lines } = capture()
    log.info({ many: Array.from({ length: 9_000 }, (_, i) => i) }, 'many')
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ msg: 'many', truncated: true })
  })

  test('never holds a secret, wherever it hides', () => {
    const { log, lines } = capture()
    const error = new Error(`bad ${SECRET}`, { cause: new Error(`worse ${JWT}`) })
    log.error({ err: error, note: `x=${REFRESH}`, headers: { authorization: 'x' } }, `say ${JWT}`)
    log.info({ body: { password: 'hunter2' }, query: 'hunter2', token: 'hunter2' }, 'hunter2-free')
    log.info(`${'x'.repeat(500)}${JWT}`)
    log.info(JWT.slice(0, 30))
    const all = lines.join('')
    expect(all).not.toMatch(/Ab3-|rt_x|eyJ|hunter2"/)
    expect(all).toContain('sk_live_[redacted]')
  })

  test('keeps what only looks a little like one', () => {
    const text = 'took_2ms sort_order port_0123456789abcdef ses_01K3Z8Q5V7M2N4P6R8S0T1W3X5 ok_'
    expect(scrubSecrets(text)).toBe(text)
  })

  test('tells of an error what helps and not what it carries', () => {
    const { log, lines } = capture()
    const error = Object.assign(new Error('duplicate key'), {
      code: '23505',
      detail: 'Key (email)=(someone@example.com)',
    })
    log.error({ err: error }, 'failed')
    expect(JSON.parse(lines[0] ?? '').err).toMatchObject({ code: '23505', type: 'Error' })
    expect(lines[0]).not.toContain('someone')
  })
})

describe('a request', () => {
  test('is one line, with the pattern of its route and not its URL', async () => {
    const { app, lines } = await createHttpFixture(scope => {
      scope.get('/users/:userId', async () => ({ ok: true }))
      scope.get('/healthz', { config: { quiet: true } }, async () => ({ ok: true }))
    })
    const { headers } = await app.inject('/users/someone@example.com?x=hush')
    await app.inject('/nowhere?x=hush')
    await app.inject('/healthz')
    await sleep(5)
    expect(lines.map(line => JSON.parse(line))).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-.*Z$/),
        request_id: headers['x-request-id'],
        method: 'GET',
        route: '/users/:userId',
        status: 200,
        duration_ms: expect.any(Number),
        msg: 'request completed',
      },
      expect.objectContaining({ route: null, status: 404, code: 'route_not_found' }),
    ])
    expect(lines.join('')).not.toMatch(/someone|hush/)
    await app.close()
  })

  test('chooses its own id only in name', async () => {
    const { app } = await createHttpFixture(scope => {
      scope.get('/', async () => ({ ok: true }))
    })
    const { headers } = await app.inject({ url: '/', headers: { 'x-request-id': 'req_mine' } })
    expect(headers['x-request-id']).toMatch(/^req_[0-9A-Z]{26}$/)
    await app.close()
  })
})
