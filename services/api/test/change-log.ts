import type { Pool } from 'pg'
import { newId } from '../src/shared/ids.ts'

/** Lines of the change log as so many revokes of single sessions leave them: their ids, in order. */
export async function insertRevocations(
  pool: Pool,
  tenantId: string,
  count: number,
  { lifeSeconds = [60, 900] }: { lifeSeconds?: [least: number, most: number] } = {},
): Promise<string[]> {
  const ids = Array.from({ length: count }, () => newId('ses'))
  await pool.query(
    `WITH head AS (
       UPDATE tenant_heads SET seq = seq + $3::int WHERE tenant_id = $1
       RETURNING seq - $3::int AS seq
     )
     INSERT INTO tenant_changes (tenant_id, seq, kind, session_id, revoked_by, forget_after)
     SELECT $1, head.seq + n, 'session', id, 'key_test', now() + ($4::int + random() * ($5::int - $4::int)) * interval '1 second'
     FROM head CROSS JOIN unnest($2::text[]) WITH ORDINALITY AS given (id, n)`,
    [tenantId, ids, count, ...lifeSeconds],
  )
  return ids
}
