import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { insertSessionRows } from '../../test/session-rows.ts'
import { createTestCluster, type TestCluster, type TestNode } from '../../test/test-node.ts'
import { createHousekeeping } from './housekeeping.ts'
import { createSweepStore } from './sweeps.store.ts'

let cluster: TestCluster
let node: TestNode

beforeAll(async () => {
  cluster = await createTestCluster()
  node = cluster.node()
})
afterAll(() => cluster.close())

/** One turn of one task, as a worker of this node would take it. */
async function run(name: string, at: TestNode = node): Promise<void> {
  const tasks = createHousekeeping({
    store: createSweepStore(at.database.pool),
    followers: at.services.followers,
    lifetimes: { followAll: async () => {} },
    erasures: at.services.erasures,
  })
  const task = tasks.find(candidate => candidate.name === name)
  if (task === undefined) throw new Error(`there is no task ${name}`)
  await task.run(() => false)
}

async function runAll(): Promise<void> {
  for (const state of ['revoked', 'expired', 'erased']) await run(`delete_${state}_sessions`)
}

const query = async (text: string, values: unknown[] = []) =>
  (await node.database.pool.query(text, values)).rows
const numbersOf = async (tenantId: string): Promise<number[]> =>
  (
    await query(
      `SELECT right(id, 6)::int AS n FROM sessions
       WHERE tenant_id = $1 AND id LIKE 'ses_01AAAA%' ORDER BY id`,
      [tenantId],
    )
  ).map(({ n }) => n)

const daysAgo = (days: number): string => `now() - interval '${days} days'`

describe('ended sessions', () => {
  it('are deleted when the retention of their tenant is over, counted from their end', async () => {
    const { tenantId } = await node.tenant()
    const { tenantId: brief } = await node.tenant({ settings: { session_retention_days: 2 } })
    for (const each of [tenantId, brief]) {
      await insertSessionRows(node.database.pool, {
        tenantId: each,
        count: 6,
        columns: {
          state: `(ARRAY['revoked', 'revoked', 'revoked', 'expired', 'expired', 'active'])[n]`,
          revoked_at: `CASE n WHEN 1 THEN ${daysAgo(1)} WHEN 2 THEN ${daysAgo(89)}
            WHEN 3 THEN ${daysAgo(91)} END`,
          ends_at: `CASE n WHEN 4 THEN ${daysAgo(89)} WHEN 5 THEN ${daysAgo(91)}
            ELSE ${daysAgo(100)} END`,
          token_expires_at: `CASE WHEN n = 1 THEN now() ELSE ${daysAgo(88)} END`,
        },
      })
    }
    await runAll()
    expect(await numbersOf(tenantId)).toEqual([1, 2, 4, 6])
    expect(await numbersOf(brief)).toEqual([1, 6])
  })

  it('stay as long as a token of theirs could live, whatever is set and however they ended', async () => {
    const { tenantId } = await node.tenant({ settings: { session_retention_days: 2 } })
    await insertSessionRows(node.database.pool, {
      tenantId,
      count: 4,
      columns: {
        state: `(ARRAY['revoked', 'expired', 'revoked', 'expired'])[n]`,
        revoked_at: `CASE WHEN n % 2 = 1 THEN ${daysAgo(50)} END`,
        ends_at: daysAgo(50),
        token_expires_at: `CASE WHEN n > 2 THEN now() - interval '1 hour' ELSE ${daysAgo(49)} END`,
      },
    })
    await query(
      'UPDATE sessions SET erased_at = now() WHERE tenant_id = $1 AND right(id, 1) = $2',
      [tenantId, '3'],
    )
    await runAll()
    expect(await numbersOf(tenantId)).toEqual([3, 4])
  })

  it('cannot be set to go before the last token of a session has expired', async () => {
    const { sessions, tenants } = node.services
    const { tenantId } = await node.tenant({
      settings: { session_retention_days: 2, access_token_ttl_seconds: 86_400 },
    })
    await expect(
      tenants.update(tenantId, { settings: { session_retention_days: 2 } }),
    ).resolves.toMatchObject({ settings: { session_retention_days: 2 } })
    const by = await node.actor(tenantId)
    const made = await sessions.create(by, { user_id: 'u' })
    await sessions.revoke(by, made.session.id)
    // As it would be at the last moment of the token: a day after, with the revocation as old.
    await query(`UPDATE sessions SET revoked_at = ${daysAgo(1)} WHERE tenant_id = $1`, [tenantId])
    await runAll()
    await run('forget_changes')
    node.clock.advanceSeconds(86_390)
    expect(await node.verify(tenantId, made.access_token)).toEqual({
      valid: false,
      reason: 'session_revoked',
    })
    node.clock.advanceSeconds(-86_390)
  })

  it('of a bulk revoke whose rows have not followed are left alone until they have', async () => {
    const { tenantId } = await node.tenant({ settings: { session_retention_days: 2 } })
    const by = await node.actor(tenantId)
    const { access_token } = await node.services.sessions.create(by, { user_id: 'u' })
    await node.services.sessions.revokeAll(by, {})
    await node.services.followers.settled()
    // The row as before it followed, and everything else a long time ago.
    await query(
      `UPDATE sessions SET state = 'active', revoked_at = NULL, ends_at = ${daysAgo(98)},
         token_expires_at = ${daysAgo(99)} WHERE tenant_id = $1`,
      [tenantId],
    )
    await query(
      `UPDATE tenant_changes SET applied_at = NULL, created_at = ${daysAgo(100)}
       WHERE tenant_id = $1 AND kind = 'bulk'`,
      [tenantId],
    )
    await run('expire_sessions')
    await runAll()
    expect(await query('SELECT state FROM sessions WHERE tenant_id = $1', [tenantId])).toEqual([
      { state: 'active' },
    ])
    expect(await node.verify(tenantId, access_token)).toMatchObject({ reason: 'session_revoked' })
    await run('bulk_followers')
    await node.services.followers.settled()
    await runAll()
    expect(await numbersOf(tenantId)).toEqual([])
    expect(await node.verify(tenantId, access_token)).toMatchObject({ valid: false })
  })
})

it('events go when their tenant keeps them no longer', async () => {
  const { tenantId } = await node.tenant()
  const { tenantId: brief } = await node.tenant({ settings: { event_retention_days: 7 } })
  for (const each of [tenantId, brief])
    await query(
      `INSERT INTO events (tenant_id, id, type, actor, created_at)
       SELECT $1, 'evt_' || days, 'session.created', 'a', now() - make_interval(days => days)
       FROM unnest(ARRAY[6, 8, 364, 366]) AS days`,
      [each],
    )
  await run('delete_events')
  const left = async (of: string) =>
    (
      await query(
        `SELECT id FROM events WHERE tenant_id = $1 AND type = 'session.created' ORDER BY id`,
        [of],
      )
    ).map(({ id }) => id)
  expect(await left(tenantId)).toEqual(['evt_364', 'evt_6', 'evt_8'])
  expect(await left(brief)).toEqual(['evt_6'])
})

it('signing keys go when no token of theirs has lived for a week', async () => {
  const { tenantId } = await node.tenant()
  const by = await node.actor(tenantId)
  const { access_token } = await node.services.sessions.create(by, { user_id: 'u' })
  const { signingKeys } = node.services
  for (let n = 0; n < 3; n++) {
    await signingKeys.rotate(tenantId, 'operator')
    // As if the ten minutes were over that a key is published for before it signs.
    await query(
      `UPDATE signing_keys SET usable_from = least(usable_from, now()),
         signs_from = CASE WHEN signs_from > now() THEN now() ELSE signs_from END
       WHERE tenant_id = $1`,
      [tenantId],
    )
  }
  const began = (key: { signs_from: string | null }) => key.signs_from ?? 'later'
  const keys = (await signingKeys.list(tenantId)).data.toSorted((a, b) =>
    began(a) < began(b) ? -1 : 1,
  )
  expect(keys.length).toBeGreaterThanOrEqual(4)
  const [retired, longRetired, longRevoked] = keys.map(({ kid }) => kid)
  const set = (kid: string | undefined, change: string) =>
    query(`UPDATE signing_keys SET ${change} WHERE tenant_id = $1 AND kid = $2`, [tenantId, kid])
  await set(longRetired, `published_until = ${daysAgo(8)}`)
  await set(longRevoked, `revoked_at = ${daysAgo(8)}`)
  await run('delete_signing_keys')
  const left = (await signingKeys.list(tenantId)).data.map(({ kid }) => kid)
  expect(left).toContain(retired)
  expect(left).not.toContain(longRetired)
  expect(left).not.toContain(longRevoked)
  expect(left).toHaveLength(keys.length - 2)
  expect(await cluster.node().verify(tenantId, access_token)).toMatchObject({ valid: true })
  await set(retired, `published_until = ${daysAgo(6)}`)
  await run('delete_signing_keys')
  expect((await signingKeys.list(tenantId)).data).toHaveLength(keys.length - 2)
  // The line of keys goes on as if they had never been.
  await signingKeys.rotate(tenantId, 'operator')
  await node.services.sessions.create(await node.actor(tenantId), { user_id: 'u' })
})

it('three workers at once do each row once, and no lock of theirs lasts', async () => {
  const { tenantId } = await node.tenant()
  const count = 12_000
  await insertSessionRows(node.database.pool, {
    tenantId,
    count,
    columns: {
      state: `'revoked'`,
      revoked_at: daysAgo(91),
      token_expires_at: daysAgo(90),
    },
  })
  await insertSessionRows(node.database.pool, {
    tenantId,
    count: 10,
    firstNumber: count + 1,
  })
  await query(
    `CREATE TABLE deleted (id text);
     CREATE FUNCTION note_deletion() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN INSERT INTO deleted VALUES (OLD.id); RETURN OLD; END $$;
     CREATE TRIGGER note_deletion AFTER DELETE ON sessions
       FOR EACH ROW EXECUTE FUNCTION note_deletion()`,
  )
  const workers = [node, cluster.node(), cluster.node()]
  let isOver = false
  const by = await node.actor(tenantId)
  const working = (async () => {
    let made = 0
    for (; !isOver; made++) {
      const { session } = await node.services.sessions.create(by, { user_id: 'u' })
      await node.services.sessions.revoke(by, session.id)
    }
    return made
  })()
  await Promise.all(workers.map(worker => run('delete_revoked_sessions', worker)))
  isOver = true
  expect(await working).toBeGreaterThan(0)
  const [counts] = await query(
    'SELECT count(*) AS all, count(DISTINCT id) AS distinct FROM deleted',
  )
  expect(counts).toEqual({ all: count, distinct: count })
  expect((await numbersOf(tenantId)).slice(0, 10)).toEqual(
    Array.from({ length: 10 }, (_, n) => count + 1 + n),
  )
  await query('DROP FUNCTION note_deletion CASCADE; DROP TABLE deleted')
})

it('a tenant with much to do keeps no other waiting', async () => {
  const columns = {
    state: `'revoked'`,
    revoked_at: daysAgo(91),
    token_expires_at: daysAgo(90),
  }
  const { pool } = node.database
  const { tenantId: large } = await node.tenant()
  await insertSessionRows(pool, { tenantId: large, count: 5_000, columns })
  const { tenantId: small } = await node.tenant()
  await insertSessionRows(pool, { tenantId: small, count: 5, columns })
  const store = createSweepStore(pool)
  const batches: string[] = []
  const tasks = createHousekeeping({
    store: {
      ...store,
      runBatch(tenantId, ...rest) {
        batches.push(tenantId)
        return store.runBatch(tenantId, ...rest)
      },
    },
    followers: node.services.followers,
    lifetimes: { followAll: async () => {} },
    erasures: node.services.erasures,
  })
  await tasks.find(({ name }) => name === 'delete_revoked_sessions')?.run(() => false)
  expect(batches.indexOf(small)).toBeLessThan(2)
  expect(batches.filter(id => id === large).length).toBeGreaterThanOrEqual(5)
})
