import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createWorld, isAccepted, REVOKES } from './revoked-meanwhile.ts'
import { TEST_OPERATOR_KEY } from './test-app.ts'
import { type Case, cases, outcomeOf } from './verify-cases.ts'
import { goodOf, Line, openWarm, openWays, verifyOf, type Ways } from './verify-ways.ts'

// Verify past the framework and through it: nobody can tell them apart. Faults have their own file.

let ways: Ways
let short: Ways['short']
let long: Ways['long']
let other: Ways['other']
let world: Ways['world']

beforeAll(async () => {
  ways = await openWays()
  ;({ short, long, other, world } = ways)
})
afterAll(() => ways.close())

describe('a verify on a connection that has verified before', () => {
  it('is answered as every other, and so is what comes after it', async () => {
    const table = cases(world)
    const compare = async (each: Case) => {
      const lines = [
        await openWarm(long.port, world),
        new Line(short.port),
        await openWarm(short.port, world),
      ]
      const [usual, ...outcomes] = await Promise.all(lines.map(line => outcomeOf(line, each)))
      for (const outcome of outcomes) expect(outcome).toBe(usual)
    }
    for (let from = 0; from < table.length; from += 60)
      await Promise.all(table.slice(from, from + 60).map(compare))
  })

  it('takes the shortcut, and goes on with it after one that did not', async () => {
    const line = await openWarm(short.port, world)
    const before = short.longCount
    for (let i = 0; i < 10; i++) await line.ask(i === 5 ? verifyOf(world, '{}') : goodOf(world))
    expect(short.longCount - before).toBe(1)
    line.socket.destroy()
  })

  it.each(REVOKES)('is refused at once when somebody revokes $name', async revoke => {
    const own = await createWorld(other)
    const lines = [await openWarm(short.port, own), await openWarm(long.port, own)]
    await revoke.run(other, own)
    const [ours, usual] = await Promise.all(lines.map(line => line.ask(goodOf(own))))
    expect(ours && isAccepted({ ...ours, headers: {} })).toBe(false)
    expect(ours).toEqual(usual)
    for (const line of lines) line.socket.destroy()
  })

  it('says what Postgres says of a session that has changed, and of a tenant that is back', async () => {
    const own = await createWorld(other)
    const line = await openWarm(short.port, own)
    const path = `/v1/sessions/${own.session.id}`
    await other.call(own.adminKey, 'PATCH', path, { body: { role: 'a"\\</b>' } })
    expect((await line.ask(goodOf(own))).body).toMatchObject({ valid: true, role: 'a"\\</b>' })
    for (const status of ['suspended', 'active'])
      await other.call(TEST_OPERATOR_KEY, 'PATCH', `/v1/tenants/${own.tenantId}`, {
        body: { status },
      })
    expect((await line.ask(goodOf(own))).body.valid).toBe(true)
    line.socket.destroy()
  })

  it('is judged by the key that it brings: of whom, with which scope, until when', async () => {
    const own = await createWorld(other)
    const line = await openWarm(short.port, world)
    const by = async (secret: string, of = own) => (await line.ask(goodOf(of, secret))).body
    const keyOf = async (body: object): Promise<string> =>
      (await other.call(own.adminKey, 'POST', '/v1/api-keys', { body: { name: 'k', ...body } }))
        .body.secret
    const blind = await keyOf({ scopes: ['sessions:read'] })
    const brief = await keyOf({ expires_at: new Date(Date.now() + 1_500) })
    for (let again = 0; again < 2; again++) {
      expect(await by(world.key.secret, world)).toMatchObject({ valid: true })
      expect(await by(own.key.secret, world)).toMatchObject({ valid: false })
      expect(await by(own.key.secret)).toMatchObject({ valid: true })
      expect(await by(blind)).toMatchObject({ code: 'scope_missing' })
      expect(await by(TEST_OPERATOR_KEY)).toMatchObject({ code: 'tenant_missing' })
      for (const _ of [1, 2]) expect(await by(brief)).toMatchObject({ valid: true })
    }
    await sleep(1_500)
    expect(await by(brief)).toMatchObject({ code: 'api_key_invalid' })
    line.socket.destroy()
  })
})
