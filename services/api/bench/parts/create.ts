import { createHash } from 'node:crypto'
import type { SessionTokens } from '../../src/sessions/sessions.schema.ts'
import type { Part } from '../figures.ts'
import { createCall, signInOnce, USER_AGENT } from '../sign-ins.ts'
import type { World } from '../world.ts'
import { measureRatio } from './ratio.ts'

const DISTINCT_USERS = 10_000
const WARM_UP_REQUESTS = 4_000

/** A durable session and its event, beside one statement that writes the same rows. */
export const createPart: Part = {
  name: 'create',
  isQuick: true,
  async run(world, form) {
    await makeBenchTables(world)
    const sample = await signInOnce(world, 0)
    return [
      await measureRatio(world, form, {
        part: 'create',
        baseline: 'BF + one prepared INSERT of the same rows + one Ed25519 signature',
        most: 1.5,
        warmUpRequests: WARM_UP_REQUESTS,
        status: 201,
        calls: Array.from({ length: DISTINCT_USERS }, (_, n) => createCall(world, n)),
        options: { kind: 'create', sample, values: rowOf(sample) },
      }),
    ]
  },
}

/** Tables like ours, with their checks and indexes, for what a baseline writes. */
export async function makeBenchTables({ pool }: World): Promise<void> {
  await pool.query(`
    CREATE TABLE IF NOT EXISTS bench_sessions (LIKE sessions INCLUDING ALL);
    CREATE TABLE IF NOT EXISTS bench_events (LIKE events INCLUDING ALL)`)
}

export function rowOf({ session }: SessionTokens): unknown[] {
  const { device } = session
  return [
    ...[session.tenant_id, session.id, session.user_id, null, null, null, session.amr],
    ...[session.auth_time, USER_AGENT, session.ip_address, session.country, session.location],
    ...[device.id, device.name, device.type, device.os, device.browser, '{}'],
    ...[session.created_at, session.created_at, session.expires_at, session.expires_at],
    `\\x${createHash('sha256').update('family').digest('hex')}`,
    ...['evt_0', 'key_bench', false, session.expires_at],
  ]
}
