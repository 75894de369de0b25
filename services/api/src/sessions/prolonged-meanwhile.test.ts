import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestCluster, type TestCluster, type TestNode } from '../../test/test-node.ts'

// The time of a session is nearly up; somebody used it, and the statement that prolongs it has not
// committed when a revoke looks at the row, which says that the session is over.
let cluster: TestCluster
let node: TestNode

beforeAll(async () => {
  cluster = await createTestCluster()
  node = cluster.node()
})
afterAll(() => cluster.close())

const PROLONG = `
  UPDATE sessions SET last_active_at = now(), ends_at = now() + interval '1 hour'
  WHERE tenant_id = $1 AND id = $2 AND state = 'active' AND ends_at > now()`

it.each(['bulk', 'erasure'] as const)(
  'is out of reach for no %s: no token is good after its answer',
  async how => {
    const { tenantId } = await node.tenant()
    const by = await node.actor(tenantId)
    const { sessions, erasures, followers } = node.services
    const { session, access_token: token } = await sessions.create(by, { user_id: 'ada' })
    const { pool } = node.database
    await pool.query(
      "UPDATE sessions SET ends_at = clock_timestamp() + interval '200 milliseconds' WHERE tenant_id = $1 AND id = $2",
      [tenantId, session.id],
    )
    const writer = await pool.connect()
    try {
      await writer.query('BEGIN')
      expect((await writer.query(PROLONG, [tenantId, session.id])).rowCount).toBe(1)
      // The committed row says that the session is over; the one on its way says that it is not.
      await expect
        .poll(async () => (await sessions.get(tenantId, session.id)).status)
        .toBe('expired')
      const answer =
        how === 'bulk'
          ? sessions.revokeAll(by, { user_id: 'ada' })
          : erasures.erase(by, 'ada').then(({ status }) => status)
      // An erasure leaves rows that others hold for later; it must find this one in the end.
      if (how === 'bulk') expect(await answer).toBe(0)
      await writer.query('COMMIT')
      await answer
    } finally {
      writer.release()
    }
    expect(await node.verify(tenantId, token)).toMatchObject({ valid: false })
    await followers.settled()
    expect(await node.verify(tenantId, token)).toMatchObject({ valid: false })
    expect((await sessions.list(tenantId, { user_id: 'ada' })).data).toEqual([])
  },
)
