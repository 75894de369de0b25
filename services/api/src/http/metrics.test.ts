import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createHttpFixture, type HttpFixture } from '../../test/http-fixture.ts'
import { createMetrics, type MetricsServer, requestMetrics, startMetricsServer } from './metrics.ts'

const pool = { totalCount: 7, idleCount: 3, waitingCount: 2 }
const metrics = createMetrics({ main: pool })
let fixture: HttpFixture
let server: MetricsServer

beforeAll(async () => {
  fixture = await createHttpFixture(async scope => {
    await scope.register(requestMetrics, { durations: metrics.durations })
    scope.get('/users/:userId', async () => ({ ok: true }))
    scope.get('/broken', async () => {
      throw new Error('broken')
    })
  })
  const { registry } = metrics
  server = await startMetricsServer({ host: '127.0.0.1', port: 0, registry })
})
afterAll(async () => {
  await server.close()
  await fixture.app.close()
})

const scrape = async (path = '/metrics', method = 'GET') => {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method })
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    text: await response.text(),
  }
}

describe('the metrics', () => {
  test('time requests by pattern, method and class, never by URL', async () => {
    for (let i = 0; i < 3; i++) await fixture.app.inject(`/users/someone${i}`)
    await fixture.app.inject('/broken')
    await fixture.app.inject('/nowhere/someone')
    const { text, type } = await scrape()
    expect(type).toContain('text/plain')
    const count = 'http_request_duration_seconds_count'
    expect(text).toContain(`${count}{method="GET",route="/users/:userId",status="2xx"} 3`)
    expect(text).toContain(`${count}{method="GET",route="/broken",status="5xx"} 1`)
    expect(text).toContain(`${count}{method="(any)",route="(none)",status="4xx"} 1`)
    expect(text).not.toContain('someone')
  })

  test('are a histogram that adds up', async () => {
    const { text } = await scrape()
    const buckets = [...text.matchAll(/_bucket\{.*users.*le="([^"]+)"\} (\d+)/g)]
    expect(buckets.at(-1)?.slice(1)).toEqual(['+Inf', '3'])
    const counts = buckets.map(([, , value]) => Number(value))
    expect(counts).toEqual(counts.toSorted((a, b) => a - b))
    expect(text).toMatch(/# TYPE http_request_duration_seconds histogram/)
  })

  test('count verdicts, watch the pools and the process', async () => {
    metrics.verifyVerdict('valid')
    metrics.verifyVerdict('valid')
    metrics.verifyVerdict('expired')
    const { text } = await scrape()
    expect(text).toContain('sesame_verify_verdicts_total{reason="valid"} 2')
    expect(text).toContain('sesame_verify_verdicts_total{reason="expired"} 1')
    expect(text).toContain('sesame_pg_pool_connections{pool="main",state="busy"} 4')
    expect(text).toContain('sesame_pg_pool_connections{pool="main",state="waiting"} 2')
    expect(text).toContain('process_cpu_seconds_total')
    expect((await scrape()).text).toContain('sesame_verify_verdicts_total{reason="valid"} 2')
  })

  test('are all that their server has', async () => {
    expect((await scrape('/')).status).toBe(404)
    expect((await scrape('/metrics', 'POST')).status).toBe(404)
    await expect(
      startMetricsServer({ host: '127.0.0.1', port: server.port, registry: metrics.registry }),
    ).rejects.toThrow('EADDRINUSE')
  })
})
