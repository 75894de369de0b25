import type { Pool } from 'pg'

const CHUNK = 10_000

export interface SessionRows {
  tenantId: string
  count: number
  /** SQL about `n`, the number of the row from 1 on. */
  columns?: Partial<
    Record<'user_id' | 'state' | 'revoked_at' | 'ends_at' | 'token_expires_at', string>
  >
  firstNumber?: number
}

/** Many sessions at once, as they would be in the database; their ids go up with `n`. */
export async function insertSessionRows(pool: Pool, rows: SessionRows): Promise<void> {
  const { tenantId, count, columns = {}, firstNumber = 1 } = rows
  const {
    user_id = `'user' || n % 100`,
    state = `'active'`,
    revoked_at = 'NULL::timestamptz',
    ends_at = `now() + interval '1 day'`,
    token_expires_at = `now() + interval '15 minutes'`,
  } = columns
  for (let from = firstNumber; from < firstNumber + count; from += CHUNK)
    await pool.query(
      `INSERT INTO sessions (tenant_id, id, user_id, state, revoked_at, amr, auth_time, device_type,
         generation, created_at, last_active_at, expires_at, ends_at, token_expires_at,
         refresh_family_hash)
       SELECT $1, 'ses_01AAAAAAAAAAAAAAAAAA' || lpad(n::text, 6, '0'), ${user_id}, ${state},
         ${revoked_at}, '{}', now(), 'other', 0, now(), now(),
         now() + interval '30 days', ${ends_at}, ${token_expires_at}, sha256('x')
       FROM generate_series($2::int, $3::int) AS n`,
      [tenantId, from, Math.min(from + CHUNK, firstNumber + count) - 1],
    )
}
