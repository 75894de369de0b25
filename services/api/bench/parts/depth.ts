import { listSessionsStatement } from '../../src/sessions/sessions.list.ts'
import { createMasterKey } from '../../src/shared/crypto.ts'
import { createCursors } from '../../src/shared/cursor.ts'
import { compare, measure } from '../compare.ts'
import type { Figure, Part } from '../figures.ts'
import type { Call } from '../load.ts'
import { fillLargeTable } from '../many-sessions.ts'
import type { World } from '../world.ts'

const PAGE = 20
const DEEP_PAGE = 10_000
const WARM_UP_REQUESTS = 200
const MOST_BUFFERS = 10

/** A page far down the list beside the first. */
export const depthPart: Part = {
  name: 'depth',
  isQuick: false,
  async run(world, form) {
    const sessions = await fillLargeTable(world, form)
    const lastId = await idAbove(world, (DEEP_PAGE - 1) * PAGE)
    const [first, deep] = [listCall(world, null), listCall(world, lastId)]
    const side = (call: Call) => async (requests: number) => {
      await world.loader.prepare([call])
      return measure(world.loader, world.node, { requests, connections: 1, status: 200 })
    }
    const comparison = await compare(side(deep), side(first), {
      ...form,
      warmUpRequests: WARM_UP_REQUESTS,
    })
    const { ours, theirs } = comparison
    const ratio = ours.p50Ms / theirs.p50Ms
    const p50: Figure = {
      part: `p50 of page ${DEEP_PAGE} of a list`,
      baseline: 'page 1',
      value: { median: ratio, min: ratio, max: ratio },
      unit: 'ratio',
      most: 1.15,
      comparison,
      notes: [`${sessions} sessions of the tenant, half of them ended, among ${2 * sessions}`],
    }
    return [p50, await buffersOf(world, lastId)]
  },
}

function listCall({ headers, tenantId, masterKey }: World, beforeId: string | null): Call {
  const scope = { tenantId, list: 'sessions', filters: { status: 'active' } }
  const cursors = createCursors(createMasterKey(masterKey))
  const query = beforeId === null ? '' : `?cursor=${cursors.seal(scope, beforeId)}`
  return { method: 'GET', path: `/v1/sessions${query}`, headers, expects: '"has_more":true' }
}

async function idAbove({ pool, tenantId }: World, depth: number): Promise<string> {
  const { rows } = await pool.query<{ id: string }>(
    `SELECT id FROM sessions WHERE tenant_id = $1 AND state = 'active'
     ORDER BY id DESC OFFSET $2 LIMIT 1`,
    [tenantId, depth],
  )
  if (rows[0] === undefined) throw new Error('there are too few sessions for that page')
  return rows[0].id
}

/** What Postgres touches for the deep page, planning left out: the service prepares it once. */
async function buffersOf({ pool, tenantId }: World, beforeId: string): Promise<Figure> {
  const filters = { status: 'active' as const }
  const page = listSessionsStatement(tenantId, filters, beforeId, PAGE + 1, new Date())
  const { rows } = await pool.query({
    text: `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${page.text}`,
    values: page.values,
  })
  const plan = rows[0]['QUERY PLAN'][0].Plan
  const buffers = plan['Shared Hit Blocks'] + plan['Shared Read Blocks']
  return {
    part: `buffers of page ${DEEP_PAGE}`,
    baseline: 'the plan',
    value: { median: buffers, min: buffers, max: buffers },
    unit: 'buffers',
    most: MOST_BUFFERS,
  }
}
