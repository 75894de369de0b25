import type { Pool, QueryConfig, QueryResult, QueryResultRow } from 'pg'

/**
 * Runs a statement that takes the first few of what may be millions of rows, as a transaction of its
 * own. A plan that gathers all of them first, to keep a few, looks cheap wherever the planner thinks
 * that they are few: where the table is new, or one user has more than all others. So it may only
 * walk an index and stop.
 */
export async function runSmallBatch<Row extends QueryResultRow>(
  pool: Pool,
  statement: QueryConfig,
): Promise<QueryResult<Row>> {
  const client = await pool.connect()
  try {
    await client.query(BEGIN_WALKING)
    const result = await client.query<Row>(statement)
    await client.query('COMMIT')
    client.release()
    return result
  } catch (error) {
    client.release(true)
    throw error
  }
}

/** For tests that look at the plans. */
export const BEGIN_WALKING = `
  BEGIN;
  SET LOCAL enable_bitmapscan = off;
  SET LOCAL enable_seqscan = off;
  SET LOCAL enable_sort = off`
