import { join } from 'node:path'
import { startEmbeddedPostgres } from '@sesame/db'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createStage, type Service, type Stage, shownBy } from './service.ts'

// Several nodes of one service on one database, as in production.
let stage: Stage
let settings: Record<string, string>
let a: Service
let b: Service
let key: string

beforeAll(async () => {
  stage = createStage()
  const postgres = await startEmbeddedPostgres({ dataDir: join(stage.folder, 'postgres') })
  stage.onEnd(() => postgres.stop())
  settings = {
    DATABASE_URL: postgres.url,
    SESAME_MASTER_KEY: Buffer.alloc(32, 5).toString('base64url'),
    SESAME_OPERATOR_KEY: `ok_${'o'.repeat(40)}`,
    PUBLIC_URL: 'http://sesame.example',
  }
  a = await stage.start(settings)
  b = await stage.start(settings)
  // One of them shows the demo tenant; a limit would only stand in the way here.
  const made = await a.request('/v1/tenants', {
    method: 'POST',
    key: settings.SESAME_OPERATOR_KEY ?? '',
    body: { name: 'fast', settings: { rate_limit_per_second: 1_000_000 } },
  })
  key = made.body.api_key.secret
})
afterAll(() => stage.end())

const create = (node: Service, user = 'usr_1') =>
  node.request('/v1/sessions', { method: 'POST', key, body: { user_id: user } })
const verify = async (node: Service, token: string) =>
  (await node.request('/v1/sessions/verify', { method: 'POST', key, body: { token } })).body
const revoke = (node: Service, id: string) =>
  node.request(`/v1/sessions/${id}`, { method: 'DELETE', key })

describe('two nodes', () => {
  it('are one service: the demo tenant was made by the first alone', () => {
    expect(shownBy(a.stdout()).tenantId).toMatch(/^tnt_/)
    expect(shownBy(b.stdout()).tenantId).toBe('')
  })

  it('refuse at once what the other has revoked, three hundred times', async () => {
    const ROUNDS = 300
    const AT_ONCE = 10
    const stale: string[] = []
    let round = 0
    const worker = async () => {
      while (round < ROUNDS) {
        const [here, there] = round++ % 2 === 0 ? [a, b] : [b, a]
        const created = await create(here)
        expect([created.status, created.body.code]).toEqual([201, undefined])
        const { session, access_token: token } = created.body
        expect(await verify(there, token)).toMatchObject({ valid: true })
        expect((await revoke(here, session.id)).status).toBe(204)
        const verdict = await verify(there, token)
        if (verdict.reason !== 'session_revoked') stale.push(session.id)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    expect(stale).toEqual([])
  })

  it('refuse at once what the other has revoked in bulk', async () => {
    for (let round = 0; round < 20; round++) {
      const user = `bulk-${round}`
      const made = await Promise.all(Array.from({ length: 5 }, () => create(b, user)))
      const ended = await a.request(`/v1/sessions?user_id=${user}`, { method: 'DELETE', key })
      expect(ended.body).toEqual({ revoked: 5 })
      const verdicts = await Promise.all(made.map(({ body }) => verify(b, body.access_token)))
      expect(verdicts).toEqual(made.map(() => ({ valid: false, reason: 'session_revoked' })))
    }
  })

  it('refuse at once a key that the other has revoked, and take a new one', async () => {
    for (let round = 0; round < 10; round++) {
      const made = await a.request('/v1/api-keys', { method: 'POST', key, body: { name: 'k' } })
      const { id, secret } = made.body
      expect((await b.request('/v1/sessions', { key: secret })).status).toBe(200)
      await a.request(`/v1/api-keys/${id}`, { method: 'DELETE', key })
      expect((await b.request('/v1/sessions', { key: secret })).status).toBe(401)
    }
  })

  it('take each other’s cursors, and give one answer for one Idempotency-Key', async () => {
    for (let n = 0; n < 3; n++) await create(a, 'pager')
    const first = (await a.request('/v1/sessions?user_id=pager&limit=2', { key })).body
    const path = `/v1/sessions?user_id=pager&limit=2&cursor=${first.next_cursor}`
    expect((await b.request(path, { key })).body.data).toHaveLength(1)
    const once = { method: 'POST', key, headers: { 'idempotency-key': 'one' } }
    const body = { user_id: 'idem' }
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        (n % 2 === 0 ? a : b).request('/v1/sessions', { ...once, body }),
      ),
    )
    expect(new Set(answers.map(answer => JSON.stringify(answer.body))).size).toBe(1)
    expect(answers[0]?.status).toBe(201)
  })
})

describe('a node that is killed while it creates and revokes', () => {
  it('has lost nothing that it acknowledged', async () => {
    const doomed = await stage.start(settings)
    const created: { id: string; token: string }[] = []
    const revoked: string[] = []
    const worker = async () => {
      try {
        for (let n = 0; ; n++) {
          const { status, body } = await create(doomed, 'killed')
          if (status !== 201) throw new Error(`answered ${status}`)
          created.push({ id: body.session.id, token: body.access_token })
          if (n % 3 !== 0) continue
          const { status: ended } = await revoke(doomed, body.session.id)
          if (ended === 204) revoked.push(body.session.id)
        }
      } catch {
        // The node has died under this request; what it answered before counts.
      }
    }
    const workers = Promise.all(Array.from({ length: 8 }, worker))
    await expect.poll(() => revoked.length, { timeout: 20_000 }).toBeGreaterThan(50)
    await doomed.kill('SIGKILL')
    await workers

    const again = await stage.start(settings)
    const ended = new Set(revoked)
    for (const node of [a, again]) {
      for (let from = 0; from < created.length; from += 50)
        await Promise.all(
          created.slice(from, from + 50).map(async ({ id, token }) => {
            const { status, body } = await node.request(`/v1/sessions/${id}`, { key })
            expect([id, status]).toEqual([id, 200])
            if (!ended.has(id)) return
            expect(body.status).toBe('revoked')
            expect((await verify(node, token)).reason).toBe('session_revoked')
          }),
        )
    }
  })
})

describe('a service with a Postgres of its own, killed with all it started', () => {
  it('starts again by itself, with every acknowledged write', async () => {
    const dataDir = join(stage.folder, 'own')
    const first = await stage.start({ SESAME_DATA_DIR: dataDir })
    const { key: demo } = shownBy(first.stdout())
    const made: string[] = []
    for (let n = 0; n < 20; n++) {
      const call = { method: 'POST', key: demo, body: { user_id: 'u' } }
      made.push((await first.request('/v1/sessions', call)).body.session.id)
    }
    await first.kill('SIGKILL')
    const second = await stage.start({ SESAME_DATA_DIR: dataDir })
    expect(shownBy(second.stdout()).key).toBe('')
    const { body } = await second.request('/v1/sessions?limit=100', { key: demo })
    expect(body.data.map((session: { id: string }) => session.id)).toEqual(made.toReversed())
  })
})
