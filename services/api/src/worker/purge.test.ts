import { afterAll, beforeAll, expect, it } from 'vitest'
import { dumpDatabase } from '../../test/database-dump.ts'
import { expectProblem } from '../../test/expect-problem.ts'
import { insertSessionRows } from '../../test/session-rows.ts'
import { createTestApp, type TestApp } from '../../test/test-app.ts'
import { createTestCluster, type TestCluster } from '../../test/test-node.ts'

let sesame: TestApp
let cluster: TestCluster

beforeAll(async () => {
  sesame = await createTestApp()
  cluster = await createTestCluster()
})
afterAll(async () => {
  await sesame.close()
  await cluster.close()
})

it('of a deleted tenant only a bare row is left, and others lose nothing', async () => {
  const [gone, other] = [await sesame.tenant({ name: 'canary' }), await sesame.tenant()]
  const { pool } = sesame.node.database
  for (const tenant of [gone, other]) {
    const call = { headers: { 'idempotency-key': 'k' }, body: { user_id: 'u' } }
    await tenant.call('POST', '/v1/sessions', call)
    await tenant.session()
    await tenant.call('DELETE', '/v1/sessions', { query: { user_id: 'u' } })
    await insertSessionRows(pool, { tenantId: tenant.id, count: 2_500 })
    await pool.query(
      `INSERT INTO erasures (tenant_id, id, user_id, tombstone, actor, generation, revoked)
       VALUES ($1, 'ers_x', 'u', 't', 'a', 0, 0)`,
      [tenant.id],
    )
    await pool.query('INSERT INTO lifetime_walks (tenant_id) VALUES ($1)', [tenant.id])
  }
  const rowsOf = async (id: string): Promise<Record<string, number>> =>
    Object.fromEntries(
      [...(await dumpDatabase(pool))]
        .map(([table, rows]) => [table, rows.filter(row => row.includes(id)).length] as const)
        .filter(([, count]) => count > 0),
    )
  const before = await rowsOf(other.id)
  expect(Object.keys(before).length).toBeGreaterThanOrEqual(11)
  expect(await rowsOf(gone.id)).toEqual(before)

  const { access_token } = await gone.session()
  await sesame.operator.call('DELETE', `/v1/tenants/${gone.id}`)
  // Kept out of it, the other tenant's made-up erasure and walk stay as they are.
  await pool.query(`UPDATE erasures SET progressed_at = now() + interval '1 hour'`)
  await pool.query(`UPDATE lifetime_walks SET is_over = true WHERE tenant_id = $1`, [other.id])
  const worker = sesame.node.services.worker
  worker.start({ sweeps: true })
  // For some minutes the log still tells nodes that were away; then that goes as well.
  await expect
    .poll(() => rowsOf(gone.id), { timeout: 20_000 })
    .toEqual({ tenants: 1, tenant_heads: 1, tenant_changes: 2 })
  await pool.query(
    `UPDATE tenants SET deleted_at = now() - interval '11 minutes' WHERE tenant_id = $1`,
    [gone.id],
  )
  await expect.poll(() => rowsOf(gone.id), { timeout: 20_000 }).toEqual({ tenants: 1 })
  expect([...(await dumpDatabase(pool)).values()].flat().join()).not.toContain('canary')
  expect(await rowsOf(other.id)).toEqual(before)

  expectProblem(await sesame.operator.call('GET', `/v1/tenants/${gone.id}`), 'tenant_not_found')
  expectProblem(await gone.call('GET', '/v1/sessions'), 'api_key_invalid')
  const verified = await other.call('POST', '/v1/sessions/verify', {
    body: { token: access_token },
  })
  expect(verified.body.valid).toBe(false)
})

it('a node that had the tenant in memory and was away all the time refuses it', async () => {
  const [node, away] = [cluster.node(), cluster.node()]
  const { tenantId, secret } = await node.tenant()
  const by = await node.actor(tenantId)
  const { access_token } = await node.services.sessions.create(by, { user_id: 'u' })
  expect(await away.verify(tenantId, access_token)).toMatchObject({ valid: true })
  await node.services.tenants.delete(tenantId)
  const { pool } = node.database
  await pool.query(
    `UPDATE tenants SET deleted_at = now() - interval '11 minutes' WHERE tenant_id = $1`,
    [tenantId],
  )
  node.services.worker.start({ sweeps: true })
  await expect
    .poll(
      async () =>
        (await pool.query('SELECT purged_at FROM tenants WHERE tenant_id = $1', [tenantId])).rows[0]
          .purged_at,
      { timeout: 20_000 },
    )
    .not.toBeNull()
  const { rows } = await pool.query(
    `SELECT count(*) AS count FROM tenant_heads WHERE tenant_id = $1`,
    [tenantId],
  )
  expect(rows[0].count).toBe(0)
  expect(away.services.freshness.peek(tenantId)).not.toBeNull()
  expect(await away.services.freshness.current(tenantId)).toBeNull()
  await expect(away.services.apiKeys.authenticate(secret)).rejects.toMatchObject({
    code: 'api_key_invalid',
  })
})
