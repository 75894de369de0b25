import { createLocalJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestCluster, type TestCluster, type TestNode } from '../../test/test-node.ts'
import { PUBLISH_AHEAD_SECONDS } from './signing-keys.service.ts'

let cluster: TestCluster
let node: TestNode
let tenantId: string

beforeAll(async () => {
  cluster = await createTestCluster()
})
afterAll(() => cluster.close())
beforeEach(async () => {
  node = cluster.node()
  tenantId = (await node.tenant()).tenantId
})

const DAY_SECONDS = 86_400
const statuses = async () =>
  (await node.services.signingKeys.list(tenantId)).data.map(key => key.status).toSorted()
const published = async () =>
  (await node.actor(tenantId)).tenant.keyring.published(node.clock.nowMs()).map(({ kid }) => kid)
const signIn = async () =>
  (await node.services.sessions.create(await node.actor(tenantId), { user_id: 'u' })).access_token
const kidOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid
const rotate = () => node.services.signingKeys.rotate(tenantId, 'operator')
const revoke = (kid: string) => node.services.signingKeys.revoke(tenantId, kid, 'operator')

describe('signing keys', () => {
  it('verify with another JOSE library, by a JWK set that holds public halves only', async () => {
    const token = await signIn()
    const keys = (await node.actor(tenantId)).tenant.keyring.published(node.clock.nowMs())
    for (const key of keys)
      expect(Object.keys(key).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x'])
    const { protectedHeader } = await jwtVerify(token, createLocalJWKSet({ keys }), {
      issuer: `http://sesame.test/t/${tenantId}`,
      audience: tenantId,
      typ: 'at+jwt',
      algorithms: ['EdDSA'],
    })
    expect(protectedHeader.kid).toBe(keys.find(key => key.kid === kidOf(token))?.kid)
  })

  it('are named by their RFC 7638 thumbprint', async () => {
    const { createHash } = await import('node:crypto')
    for (const { public_jwk, kid } of (await node.services.signingKeys.list(tenantId)).data) {
      const canonical = `{"crv":"Ed25519","kty":"OKP","x":"${public_jwk.x}"}`
      expect(kid).toBe(createHash('sha256').update(canonical).digest('base64url'))
    }
  })

  it('of a new tenant are one that signs and the next, which takes over at once', async () => {
    expect(await statuses()).toEqual(['active', 'next'])
    const before = await signIn()
    const promoted = await rotate()
    const after = await signIn()
    expect(kidOf(after)).toBe(promoted.kid)
    expect(kidOf(before)).not.toBe(promoted.kid)
    expect(await statuses()).toEqual(['active', 'next', 'retired'])
    expect(await node.verify(tenantId, before)).toMatchObject({ valid: true })
    expect(await node.verify(tenantId, after)).toMatchObject({ valid: true })
  })

  it('do not sign before they have been published for longer than a cache may keep the set', async () => {
    const first = await rotate()
    const second = await rotate()
    expect(second.status).toBe('next')
    expect(await published()).toContain(second.kid)
    expect(kidOf(await signIn())).toBe(first.kid)
    expect((await rotate()).kid).toBe(second.kid)
    node.clock.advanceSeconds(PUBLISH_AHEAD_SECONDS)
    expect(kidOf(await signIn())).toBe(second.kid)
  })

  it('leave the set when the last token they signed has expired, not before', async () => {
    const [kid = ''] = (await node.services.signingKeys.list(tenantId)).data
      .filter(key => key.status === 'active')
      .map(key => key.kid)
    await rotate()
    node.clock.advanceSeconds(DAY_SECONDS - 60)
    expect(await published()).toContain(kid)
    node.clock.advanceSeconds(600)
    expect(await published()).not.toContain(kid)
  })

  it('once revoked refuse every token at once, and the next one signs', async () => {
    const token = await signIn()
    expect(await node.verify(tenantId, token)).toMatchObject({ valid: true })
    await revoke(kidOf(token))
    expect(await node.verify(tenantId, token)).toEqual({
      valid: false,
      reason: 'signature_invalid',
    })
    expect(await published()).not.toContain(kidOf(token))
    expect(await statuses()).toEqual(['active', 'next', 'revoked'])
    const after = await signIn()
    expect(await node.verify(tenantId, after)).toMatchObject({ valid: true })
    await revoke(kidOf(token))
    expect(await statuses()).toEqual(['active', 'next', 'revoked'])
  })

  it('go on signing when the key that was to relieve them is revoked', async () => {
    const first = await rotate()
    const scheduled = await rotate()
    await revoke(scheduled.kid)
    node.clock.advanceSeconds(3 * DAY_SECONDS)
    expect(kidOf(await signIn())).toBe(first.kid)
    expect(await published()).toContain(first.kid)
  })

  it('that all nodes rotate at once end in one rotation', async () => {
    const nodes = [cluster.node(), cluster.node(), cluster.node()]
    await rotate()
    const results = await Promise.all(
      nodes.map(each => each.services.signingKeys.rotate(tenantId, 'operator')),
    )
    expect(new Set(results.map(({ kid }) => kid)).size).toBe(1)
    expect((await statuses()).filter(status => status === 'next')).toHaveLength(2)
  })

  it('of another tenant are not found', async () => {
    const { tenantId: other } = await node.tenant()
    const [key] = (await node.services.signingKeys.list(other)).data
    await expect(revoke(key?.kid ?? '')).rejects.toMatchObject({ code: 'signing_key_not_found' })
  })

  it('keep their private halves sealed: nothing in the database signs', async () => {
    const { rows } = await node.database.pool.query(
      'SELECT private_key_sealed FROM signing_keys WHERE tenant_id = $1',
      [tenantId],
    )
    const { createPrivateKey } = await import('node:crypto')
    for (const { private_key_sealed: sealed } of rows)
      for (let at = 0; at < sealed.length - 32; at++)
        expect(() =>
          createPrivateKey({ key: sealed.subarray(at), format: 'der', type: 'pkcs8' }),
        ).toThrow()
  })
})

describe('with a clock that is thirty seconds ahead', () => {
  it('a tenant can sign in after two emergency revocations on two nodes', async () => {
    const ahead = cluster.node()
    ahead.clock.advanceSeconds(30)
    const first = kidOf(await signIn())
    await ahead.services.signingKeys.revoke(tenantId, first, 'operator')
    const second = kidOf(await signIn())
    await revoke(second)
    for (const each of [node, ahead]) {
      const body = { user_id: 'u' }
      const { access_token: token } = await each.services.sessions.create(
        await each.actor(tenantId),
        body,
      )
      expect([first, second]).not.toContain(kidOf(token))
      expect(await node.verify(tenantId, token)).toMatchObject({ valid: true })
    }
    expect((await statuses()).filter(status => status === 'revoked')).toHaveLength(2)
  })
})
