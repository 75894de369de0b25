import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { createHttpFixture } from '../../test/http-fixture.ts'
import { Problem } from '../shared/problem.ts'

test('a request that says something itself says it under its own id, beside its line', async () => {
  const { app, lines } = await createHttpFixture(scope => {
    scope.get('/talks', async request => {
      request.log.warn('hm')
      return { ok: true }
    })
  })
  const { headers } = await app.inject('/talks')
  await app.close()
  expect(lines.map(line => JSON.parse(line))).toMatchObject([
    { level: 'warn', msg: 'hm', request_id: headers['x-request-id'] },
    { level: 'info', msg: 'request completed', request_id: headers['x-request-id'] },
  ])
})

test('what only the log may know of a problem is in the line', async () => {
  const { app, lines } = await createHttpFixture(scope => {
    scope.get('/fails', async () => {
      throw new Problem('service_unavailable', { internal: 'the "reason"\n and more' })
    })
  })
  await app.inject('/fails')
  await app.close()
  expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({
    code: 'service_unavailable',
    reason: 'the "reason"\n and more',
  })
})

test.each(['warn', 'silent'])('at level %s a request leaves no line', async level => {
  const { app, lines } = await createHttpFixture(scope => {
    scope.get('/', async () => ({ ok: true }))
  }, level)
  await app.inject('/')
  await app.close()
  expect(lines).toEqual([])
})

test.each([
  ['at the end of the process', 'process.exit(0)'],
  ['where nobody caught an error', 'setImmediate(() => { throw new Error("x") })'],
])('lines that are held are written %s', (_name, end) => {
  const logging = new URL('./logging.ts', import.meta.url).pathname
  const program = `
    const { createLogger, createLogDestination } = await import(${JSON.stringify(logging)})
    const log = createLogger({ level: 'info', destination: createLogDestination() })
    for (let n = 0; n < 100; n++) log.info({ n }, 'one of a hundred')
    ${end}`
  const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  })
  expect(stderr.match(/one of a hundred/g)).toHaveLength(100)
})
