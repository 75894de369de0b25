import { Agent, request } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestApp, type TestApp, type TestTenant } from '../../test/test-app.ts'
import { createSecret } from '../api-keys/api-key-secret.ts'
import { newId } from '../shared/ids.ts'
import { createSecretMemory } from './secret-memory.ts'

let sesame: TestApp
let tenant: TestTenant
let url: string

beforeAll(async () => {
  sesame = await createTestApp()
  tenant = await sesame.tenant()
  url = await sesame.app.listen({ host: '127.0.0.1', port: 0 })
})
afterAll(() => sesame.close())

test('a connection that brings another secret is read as whom it is now', () => {
  const memory = createSecretMemory()
  const connection = {}
  const [one, two] = [createSecret(newId('tnt'), 'live'), createSecret(newId('tnt'), 'live')]
  for (const { secret, secretHash } of [one, one, two, one])
    expect(memory.read(connection, secret).secretHash).toEqual(secretHash)
})

test('a key that is revoked is refused on the connection that has used it', async () => {
  const key = await tenant.withKey({})
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const ask = () => statusOf(agent, key.secret)
  expect(await ask()).toBe(200)
  expect(await ask()).toBe(200)
  await tenant.call('DELETE', `/v1/api-keys/${key.id}`)
  expect(await ask()).toBe(401)
  expect(await statusOf(agent, tenant.secret)).toBe(200)
  expect(Object.values(agent.freeSockets).flat()).toHaveLength(1)
  agent.destroy()
})

function statusOf(agent: Agent, secret: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${secret}` }
    const outgoing = request(`${url}/v1/sessions`, { agent, headers }, answer => {
      answer.resume().on('end', () => setImmediate(() => resolve(answer.statusCode)))
    })
    outgoing.on('error', reject).end()
  })
}
