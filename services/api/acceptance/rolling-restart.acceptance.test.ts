import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { startEmbeddedPostgres } from '@sesame/db'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createStage, freePort, type Service, type Stage } from './service.ts'

// Two nodes behind a proxy are replaced one after the other, while people sign in and are verified.
let stage: Stage
let settings: Record<string, string>
let ports: [string, string]

beforeAll(async () => {
  stage = createStage()
  const postgres = await startEmbeddedPostgres({ dataDir: join(stage.folder, 'postgres') })
  stage.onEnd(() => postgres.stop())
  settings = {
    DATABASE_URL: postgres.url,
    SESAME_MASTER_KEY: Buffer.alloc(32, 5).toString('base64url'),
    SESAME_OPERATOR_KEY: `ok_${'o'.repeat(40)}`,
    PUBLIC_URL: 'http://sesame.example',
    SHUTDOWN_DELAY_SECONDS: '2',
  }
  ports = [String(await freePort()), String(await freePort())]
})
afterAll(() => stage.end())

const CLIENTS = 6
const TIME_LIMIT_MS = 120_000

interface Answer {
  status: number
  body: { session?: { id: string }; access_token?: string; valid?: boolean }
}

/**
 * What a proxy does: it asks a node in the rotation, and the other one where the connection was
 * refused. Each request that was taken must be answered.
 */
function createProxy(nodes: { url: string; isOut: boolean }[], key: string) {
  const agent = new Agent({ keepAlive: false })
  const attempt = (url: string, path: string, body: object): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
      const outgoing = request(url + path, { method: 'POST', agent, headers }, incoming => {
        const chunks: Buffer[] = []
        incoming.on('data', chunk => chunks.push(chunk))
        incoming.on('error', reject)
        incoming.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          resolve({ status: incoming.statusCode ?? 0, body: JSON.parse(text) })
        })
      })
      outgoing.on('error', reject)
      outgoing.end(JSON.stringify(body))
    })
  return async (path: string, body: object): Promise<Answer> => {
    const inOrder = nodes.toSorted((a, b) => Number(a.isOut) - Number(b.isOut))
    for (const { url } of inOrder)
      try {
        return await attempt(url, path, body)
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED'))
          throw error
      }
    throw new Error('no node takes connections')
  }
}

const readiness = async (url: string): Promise<number> => (await fetch(`${url}/readyz`)).status

it(
  'loses no request while its nodes are replaced one after the other',
  async () => {
    const start = (n: 0 | 1) => stage.start({ ...settings, PORT: ports[n] })
    const running: Service[] = [await start(0), await start(1)]
    const nodes = running.map(({ url }) => ({ url, isOut: false }))
    const made = await running[0]?.request('/v1/tenants', {
      method: 'POST',
      key: settings.SESAME_OPERATOR_KEY ?? '',
      body: { name: 'busy', settings: { rate_limit_per_second: 1_000_000 } },
    })
    const send = createProxy(nodes, made?.body.api_key.secret)
    let isOver = false
    let answered = 0
    const wrong: unknown[] = []
    const client = async () => {
      while (!isOver) {
        const created = await send('/v1/sessions', { user_id: 'u' })
        const token = created.body.access_token
        const verified = await send('/v1/sessions/verify', { token })
        answered += 2
        const isRight = created.status === 201 && verified.body.valid === true
        if (!isRight) wrong.push(created, verified)
      }
    }
    const clients = Promise.all(Array.from({ length: CLIENTS }, client))
    clients.catch(() => {})
    const answers = async (count: number) => {
      const enough = answered + count
      await expect.poll(() => answered, { timeout: 20_000 }).toBeGreaterThanOrEqual(enough)
    }
    for (const n of [0, 1] as const) {
      const node = nodes[n]
      if (node === undefined) throw new Error('there is no such node')
      await answers(20)
      const stopped = running[n]?.kill('SIGTERM')
      // As a balancer does: out of the rotation once it says that it is not ready.
      await expect.poll(() => readiness(node.url), { timeout: 5_000, interval: 20 }).toBe(503)
      node.isOut = true
      await stopped
      running[n] = await start(n)
      node.isOut = false
    }
    isOver = true
    await clients
    expect(wrong).toEqual([])
    expect(answered).toBeGreaterThan(4 * CLIENTS)
  },
  TIME_LIMIT_MS,
)
