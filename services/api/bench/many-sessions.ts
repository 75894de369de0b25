import { signInOnce } from './sign-ins.ts'
import type { World } from './world.ts'

export interface Copies {
  /** Whose they are; a tenant that has no others with ids of digits alone. */
  tenantId: string
  sessions: number
  /** Every other one is revoked. */
  isHalfEnded: boolean
}

/**
 * Rows as the API writes them: copies of one that it wrote, under ids of digits alone, so that every
 * one of them is older than those that the API makes.
 */
export async function copySessions(
  world: World,
  { tenantId, sessions, isHalfEnded }: Copies,
): Promise<void> {
  const { session } = await signInOnce(world, 0)
  const values = [world.tenantId, session.id, tenantId, sessions, isHalfEnded]
  await world.pool.query(COPIES, values)
  await world.pool.query('ANALYZE sessions')
}

const COPIES = `
  INSERT INTO sessions
  SELECT (jsonb_populate_record(session, jsonb_build_object(
    'tenant_id', $3::text,
    'id', 'ses_' || lpad(n::text, 26, '0'),
    'user_id', 'usr_' || n,
    'state', CASE WHEN $5 AND n % 2 = 1 THEN 'revoked' ELSE 'active' END,
    'revoked_at', CASE WHEN $5 AND n % 2 = 1 THEN session.created_at END))).*
  FROM sessions AS session, generate_series(1, $4::int) AS n
  WHERE session.tenant_id = $1 AND session.id = $2`
