import type { Part } from '../figures.ts'
import { signIn } from '../sign-ins.ts'
import { measureRatio } from './ratio.ts'

const SESSIONS = 10_000
const WARM_UP_REQUESTS = 4_000

/** One session by its id, and a page of twenty. */
export const readPart: Part = {
  name: 'read',
  isQuick: true,
  async run(world, form) {
    const signIns = await signIn(world, SESSIONS)
    const { headers, tenantId } = world
    const firstId = signIns[0]?.sessionId ?? ''
    const shared = { most: 1.6, baseline: 'BF + the same prepared SELECT', status: 200 }
    return [
      await measureRatio(world, form, {
        ...shared,
        part: 'get',
        warmUpRequests: WARM_UP_REQUESTS,
        calls: signIns.map(({ sessionId }) => ({
          method: 'GET',
          path: `/v1/sessions/${sessionId}`,
          headers,
          expects: `"id":"${sessionId}"`,
        })),
        options: {
          kind: 'get',
          sample: await world.call('GET', `/v1/sessions/${firstId}`),
          values: [tenantId],
        },
      }),
      await measureRatio(world, form, {
        ...shared,
        part: 'list of 20',
        warmUpRequests: WARM_UP_REQUESTS / 2,
        calls: [{ method: 'GET', path: '/v1/sessions', headers, expects: '"has_more":true' }],
        options: {
          kind: 'list',
          sample: await world.call('GET', '/v1/sessions'),
          values: [tenantId],
        },
      }),
    ]
  },
}
