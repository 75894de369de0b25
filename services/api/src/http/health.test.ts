import { afterEach, describe, expect, test } from 'vitest'
import { createHttpFixture, type HttpFixture } from '../../test/http-fixture.ts'
import { type HealthOptions, healthRoutes } from './health.ts'

let fixture: HttpFixture | undefined
afterEach(() => fixture?.app.close())

async function createHealth(options: Partial<HealthOptions> = {}) {
  fixture = await createHttpFixture(async scope => {
    await scope.register(healthRoutes, {
      pingDatabase: async () => 1,
      redis: null,
      isStopping: () => false,
      ...options,
    })
  })
  return fixture
}

const neverAnswers = () => new Promise(() => {})

describe('healthz', () => {
  test('is up whatever is away, and nobody is asked', async () => {
    const { app } = await createHealth({ pingDatabase: neverAnswers, redis: { status: 'end' } })
    const response = await app.inject('/healthz')
    expect([response.statusCode, response.json()]).toEqual([200, { status: 'ok' }])
  })

  test('is not logged at info', async () => {
    const { app, lines } = await createHealth()
    await app.inject('/healthz')
    await app.inject('/readyz')
    expect(lines).toEqual([])
  })
})

describe('readyz', () => {
  test('is ready with Postgres, whatever Redis does', async () => {
    const redis = { status: 'ready' }
    const { app } = await createHealth({ redis })
    const ready = (state: string) => ({ status: 'ready', database: 'up', redis: state })
    expect((await app.inject('/readyz')).json()).toEqual(ready('up'))
    redis.status = 'reconnecting'
    expect((await app.inject('/readyz')).json()).toEqual(ready('down'))
    await app.close()
    const alone = await createHealth()
    expect((await alone.app.inject('/readyz')).json()).toEqual(ready('none'))
  })

  test('is 503 within about a second when Postgres hangs, and at once when it refuses', async () => {
    const { app } = await createHealth({ pingDatabase: neverAnswers })
    const started = performance.now()
    const response = await app.inject('/readyz')
    expect([response.statusCode, response.headers['retry-after']]).toEqual([503, '1'])
    expect(performance.now() - started).toBeLessThan(1_500)
    await app.close()
    const refusing = await createHealth({ pingDatabase: () => Promise.reject(new Error('no')) })
    expect((await refusing.app.inject('/readyz')).statusCode).toBe(503)
  })

  test('is 503 from the moment that the node is to stop', async () => {
    const { app } = await createHealth({ isStopping: () => true })
    expect((await app.inject('/readyz')).json()).toMatchObject({
      code: 'service_unavailable',
      detail: 'The node is stopping.',
    })
  })
})
