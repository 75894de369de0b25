import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createTestApp, type TestApp } from '../../test/test-app.ts'
import { createSecret } from '../api-keys/api-key-secret.ts'
import { newId } from '../shared/ids.ts'
import { clientAddress } from './client-address.ts'

let sesame: TestApp
beforeEach(async () => {
  sesame = await createTestApp()
})
afterEach(() => sesame.close())

const guess = (secret: string) => sesame.with(secret).call('GET', '/v1/sessions')

async function guessUntilRefused(secretOf: () => string): Promise<number[]> {
  const statuses: number[] = []
  for (let n = 0; n < 300 && statuses.at(-1) !== 429; n++)
    statuses.push((await guess(secretOf())).status)
  return statuses
}

describe('whoever guesses keys', () => {
  it('is slowed down, and keys that this node has not seen work from the same address', async () => {
    const [victim, bystander] = [await sesame.tenant(), await sesame.tenant()]
    // Known to the node as tenants, but no key of theirs has been used yet.
    await sesame.operator.call('GET', '/v1/sessions', { headers: { 'x-tenant-id': victim.id } })
    await sesame.operator.call('GET', '/v1/sessions', { headers: { 'x-tenant-id': bystander.id } })
    const statuses = await guessUntilRefused(() => createSecret(victim.id, 'live').secret)
    expect(statuses[0]).toBe(401)
    expect(statuses.at(-1)).toBe(429)
    expect((await bystander.call('GET', '/v1/sessions')).status).toBe(200)
  })

  it('is slowed down with keys of tenants that do not exist, and with junk', async () => {
    const made = [
      () => createSecret(newId('tnt'), 'live').secret,
      () => `sk_live_${randomBytes(40).toString('base64url')}`,
    ]
    for (const secretOf of made) expect((await guessUntilRefused(secretOf)).at(-1)).toBe(429)
  })
})

describe('the address that counts', () => {
  const socket = { remoteAddress: '10.0.0.9' } as Parameters<typeof clientAddress>[0]['socket']
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['203.0.113.7:5123', '203.0.113.7'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['2001:db8::1', '2001:db8::1'],
    ['junk1', '10.0.0.9'],
    ['203.0.113.999:1', '10.0.0.9'],
    ['', '10.0.0.9'],
  ])('of %j is %s', (ip, address) => {
    expect(clientAddress({ ip, socket })).toBe(address)
  })
})

describe('an Idempotency-Key', () => {
  it('used by another key of the tenant is another request: no answer is handed over', async () => {
    const tenant = await sesame.tenant()
    const limited = await tenant.withKey({ scopes: ['keys:write'] })
    const call = { headers: { 'idempotency-key': 'deploy' }, body: { name: 'n' } }
    const first = await tenant.call('POST', '/v1/api-keys', call)
    expect(first.status).toBe(201)
    const second = await limited.call('POST', '/v1/api-keys', call)
    expect([second.status, second.body.code]).toEqual([409, 'idempotency_conflict'])
    expect(JSON.stringify(second.body)).not.toContain(first.body.secret)
  })
})

describe('an API key that has expired', () => {
  it('cannot be rotated into one that never works', async () => {
    const tenant = await sesame.tenant()
    const key = await tenant.withKey({ expires_in: 60 })
    sesame.node.clock.advanceSeconds(61)
    const answer = await tenant.call('POST', `/v1/api-keys/${key.id}/rotate`, { body: {} })
    expect([answer.status, answer.body.code]).toEqual([409, 'api_key_expired'])
  })
})

describe('an unknown field of an object that may be null', () => {
  it('is named itself', async () => {
    const tenant = await sesame.tenant()
    const body = { user_id: 'u', device: { model: 'x' } }
    const answer = await tenant.call('POST', '/v1/sessions', { body })
    expect(answer.status).toBe(400)
    expect(answer.body.errors.map(({ field }: { field: string }) => field)).toEqual([
      'device.model',
    ])
  })
})
