import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestCluster, type TestCluster } from '../../test/test-node.ts'

let cluster: TestCluster

beforeAll(async () => {
  cluster = await createTestCluster()
})
afterAll(() => cluster.close())

it('a node that loads the log anew answers with the role and organisation of today', async () => {
  const node = cluster.node()
  const { tenantId } = await node.tenant()
  const by = await node.actor(tenantId)
  const made = await node.services.sessions.create(by, { user_id: 'ada', role: 'admin' })
  const kept = await node.services.sessions.create(by, { user_id: 'ada', role: 'admin' })
  await node.services.sessions.update(by, made.session.id, { role: 'member', org_id: 'org_2' })

  const late = cluster.node()
  const { tenant } = await late.actor(tenantId)
  await expect.poll(() => tenant.revocations.isWhole).toBe(true)
  const verify = (token: string) => late.verify(tenantId, token)
  expect(await verify(made.access_token)).toMatchObject({ role: 'member', org_id: 'org_2' })
  expect(await verify(kept.access_token)).toMatchObject({ role: 'admin', org_id: null })
  const claims = { userId: 'ada', orgId: null, appId: null, generation: 0 }
  const mayConcern = (sessionId: string) => tenant.revocations.mayConcern({ ...claims, sessionId })
  expect([made, kept].map(({ session }) => mayConcern(session.id))).toEqual([true, false])
})
