import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestCluster, type TestCluster, type TestNode } from '../../test/test-node.ts'
import { newId } from '../shared/ids.ts'
import { listSessionsStatement, type SessionFilters } from './sessions.list.ts'

let cluster: TestCluster
let node: TestNode
let tenantId: string
const ROWS = 20_000

beforeAll(async () => {
  cluster = await createTestCluster()
  node = cluster.node()
  tenantId = (await node.tenant()).tenantId
  // Nine sessions in ten have ended; each filter's value holds a tenth of all.
  await node.database.pool.query(
    `INSERT INTO sessions (tenant_id, id, user_id, org_id, app_id, device_id, state, amr, auth_time,
       device_type, generation, created_at, last_active_at, expires_at, ends_at, token_expires_at, revoked_at,
       refresh_family_hash)
     SELECT $1, 'ses_01AAAAAAAAAAAAAAAAAA' || lpad(n::text, 6, '0'), 'user' || n % 10,
       'org' || n % 10, 'app' || n % 10, 'device' || n % 10,
       (ARRAY['active', 'revoked', 'revoked', 'revoked', 'expired', 'expired', 'expired', 'revoked',
              'expired', 'revoked'])[1 + (n / 10) % 10],
       '{}', now(), 'other', 0, now(), now(),
       now() + interval '1 day',
       CASE WHEN (n / 10) % 10 IN (4, 5, 6, 8) THEN now() - interval '1 day' ELSE now() + interval '1 day' END,
       now(), CASE WHEN (n / 10) % 10 IN (1, 2, 3, 7, 9) THEN now() END, sha256('x')
     FROM generate_series(1, $2) AS n`,
    [tenantId, ROWS],
  )
  await node.database.pool.query('VACUUM ANALYZE sessions')
})
afterAll(() => cluster.close())

interface Plan {
  'Node Type': string
  'Index Name'?: string
  'Actual Rows': number
  'Actual Loops': number
  'Shared Hit Blocks': number
  'Shared Read Blocks': number
  'Rows Removed by Filter'?: number
  'Scan Direction'?: string
  Plans?: Plan[]
}

async function explain(filters: SessionFilters, beforeId: string | null): Promise<Plan> {
  const { text, values } = listSessionsStatement(tenantId, filters, beforeId, 21, new Date())
  const { rows } = await node.database.pool.query(
    `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`,
    values,
  )
  return rows[0]['QUERY PLAN'][0].Plan
}

const flatten = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(flatten)]
const scansOf = (plan: Plan): Plan[] =>
  flatten(plan).filter(
    ({ 'Index Name': index, 'Actual Loops': loops }) =>
      index?.startsWith('sessions_') === true && loops > 0,
  )
const buffersOf = (plan: Plan): number => plan['Shared Hit Blocks'] + plan['Shared Read Blocks']

const DEEP = 'ses_01AAAAAAAAAAAAAAAAAA000900'
const FILTERS: Omit<SessionFilters, 'status'>[] = [
  {},
  { userId: 'user3' },
  { orgId: 'org3' },
  { appId: 'app3' },
  { deviceId: 'device3' },
]

describe.each(FILTERS)('a page filtered by %o', filter => {
  it.each(['active', 'revoked', 'expired', 'all'] as const)(
    'of status %s reads only its own rows, first page or last',
    async status => {
      for (const beforeId of [null, DEEP]) {
        const plan = await explain({ ...filter, status }, beforeId)
        expect(plan['Actual Rows']).toBe(
          beforeId === null || status === 'all' ? 21 : plan['Actual Rows'],
        )
        expect(flatten(plan).map(step => step['Node Type'])).not.toContain('Seq Scan')
        for (const scan of scansOf(plan)) {
          expect(scan['Actual Rows']).toBeLessThanOrEqual(21)
          expect(scan['Rows Removed by Filter'] ?? 0).toBeLessThanOrEqual(1)
        }
        // One scan for a page of one state; one for each state where a filter meets all of them.
        const isAllFiltered = status === 'all' && Object.keys(filter).length > 0
        expect(scansOf(plan).length).toBeLessThanOrEqual(isAllFiltered ? 3 : 2)
        expect(buffersOf(plan)).toBeLessThan(isAllFiltered ? 110 : 60)
      }
    },
  )
})

it('finds each session once while others are created and revoked', async () => {
  const { tenantId: own } = await node.tenant()
  const by = await node.actor(own)
  const { sessions } = node.services
  const create = async () => (await sessions.create(by, { user_id: 'u' })).session.id
  const before: string[] = []
  for (let n = 0; n < 45; n++) before.push(await create())
  const seen: string[] = []
  let cursor: string | undefined
  do {
    const page = await sessions.list(own, { status: 'all', limit: 10, ...(cursor && { cursor }) })
    seen.push(...page.data.map(session => session.id))
    await create()
    await sessions.revoke(by, before[Math.floor(seen.length / 2)] ?? '')
    cursor = page.next_cursor ?? undefined
  } while (cursor !== undefined)
  expect(seen).toEqual(before.toReversed())
})

it('refuses a cursor of other filters, of another tenant, and every altered one', async () => {
  const { sessions } = node.services
  const page = await sessions.list(tenantId, { limit: 2, user_id: 'user0' })
  const cursor = page.next_cursor ?? ''
  const { tenantId: other } = await node.tenant()
  const attempts = [
    () => sessions.list(tenantId, { cursor, user_id: 'user1' }),
    () => sessions.list(tenantId, { cursor }),
    () => sessions.list(tenantId, { cursor, user_id: 'user0', status: 'all' }),
    () => sessions.list(other, { cursor, user_id: 'user0' }),
    ...[...cursor].map((character, at) => () => {
      const altered = cursor.slice(0, at) + (character === 'A' ? 'B' : 'A') + cursor.slice(at + 1)
      return sessions.list(tenantId, { cursor: altered, user_id: 'user0' })
    }),
    () => sessions.list(tenantId, { cursor: cursor.slice(0, -1), user_id: 'user0' }),
    () => sessions.list(tenantId, { cursor: newId('ses'), user_id: 'user0' }),
  ]
  for (const attempt of attempts)
    await expect(attempt()).rejects.toMatchObject({ code: 'cursor_invalid' })
})
