import type { Pool } from 'pg'
import type { MasterKey } from '../shared/crypto.ts'

/** The first answer to a key, as it went out. */
export interface StoredAnswer {
  status: number
  contentType: string | null
  body: Buffer
}

/** What the database says of a key that somebody had claimed before. */
type KnownKey =
  | { state: 'done'; fingerprint: Buffer; answer: StoredAnswer }
  | { state: 'running'; fingerprint: Buffer; isAbandoned: boolean }

export interface IdempotencyStore {
  /** Whether the key was free and is now the owner's. */
  insertClaim(tenantId: string, claim: Claim): Promise<boolean>
  /** Null when there is no such key, or its time is over. */
  findKey(tenantId: string, idempotencyKey: string): Promise<KnownKey | null>
  /** Takes over a claim whose owner died, or a key whose time is over. One of several wins. */
  updateClaim(tenantId: string, claim: Claim): Promise<boolean>
  updateAnswer(tenantId: string, claim: Claim, answer: StoredAnswer): Promise<void>
  /** Gives the key back, as if it had not been used. */
  deleteClaim(tenantId: string, claim: Claim): Promise<void>
}

export interface Claim {
  idempotencyKey: string
  fingerprint: Buffer
  /** Made up for each request: whoever lost a claim must not write under it. */
  owner: string
}

export const LOCK_SECONDS = 30
const LOCKED = `now() + interval '${LOCK_SECONDS} seconds'`
const KEPT = `now() + interval '24 hours'`

/**
 * On pg and not Prisma: `ON CONFLICT DO NOTHING` and the conditional UPDATE are what makes two nodes
 * agree on one owner. The time is the database's, so that clocks of nodes do not matter.
 */
export function createIdempotencyStore(pool: Pool, masterKey: MasterKey): IdempotencyStore {
  const contextOf = (tenantId: string, key: string): string => `${tenantId}/${key}`
  return {
    async insertClaim(tenantId, { idempotencyKey, fingerprint, owner }) {
      const { rowCount } = await pool.query({
        name: 'idempotency-insert-claim',
        text: `INSERT INTO idempotency_keys
            (tenant_id, idempotency_key, fingerprint, state, owner, locked_until, expires_at)
          VALUES ($1, $2, $3, 'running', $4, ${LOCKED}, ${KEPT})
          ON CONFLICT (tenant_id, idempotency_key) DO NOTHING`,
        values: [tenantId, idempotencyKey, fingerprint, owner],
      })
      return rowCount === 1
    },

    async findKey(tenantId, idempotencyKey) {
      const { rows } = await pool.query<KeyRow>({
        name: 'idempotency-find-key',
        text: `SELECT fingerprint, state, status_code, content_type, response,
            locked_until < now() AS is_abandoned
          FROM idempotency_keys
          WHERE tenant_id = $1 AND idempotency_key = $2 AND expires_at > now()`,
        values: [tenantId, idempotencyKey],
      })
      const row = rows[0]
      if (row === undefined) return null
      const { fingerprint, status_code: status, content_type: contentType, response } = row
      if (row.state === 'running' || status === null || response === null)
        return { state: 'running', fingerprint, isAbandoned: row.is_abandoned }
      const context = contextOf(tenantId, idempotencyKey)
      const body = masterKey.open('idempotency', context, response)
      return { state: 'done', fingerprint, answer: { status, contentType, body } }
    },

    async updateClaim(tenantId, { idempotencyKey, fingerprint, owner }) {
      const { rowCount } = await pool.query({
        name: 'idempotency-update-claim',
        text: `UPDATE idempotency_keys
          SET fingerprint = $3, owner = $4, state = 'running', status_code = NULL,
            content_type = NULL, response = NULL, created_at = now(),
            locked_until = ${LOCKED}, expires_at = ${KEPT}
          WHERE tenant_id = $1 AND idempotency_key = $2
            AND (expires_at <= now()
              OR (state = 'running' AND locked_until < now() AND fingerprint = $3))`,
        values: [tenantId, idempotencyKey, fingerprint, owner],
      })
      return rowCount === 1
    },

    async updateAnswer(tenantId, { idempotencyKey, owner }, { status, contentType, body }) {
      // An answer may hold the only copy of a secret outside the caller's hands.
      const context = contextOf(tenantId, idempotencyKey)
      const response = masterKey.seal('idempotency', context, body)
      await pool.query({
        name: 'idempotency-update-answer',
        text: `UPDATE idempotency_keys
          SET state = 'done', status_code = $4, content_type = $5, response = $6
          WHERE tenant_id = $1 AND idempotency_key = $2 AND owner = $3 AND state = 'running'`,
        values: [tenantId, idempotencyKey, owner, status, contentType, response],
      })
    },

    async deleteClaim(tenantId, { idempotencyKey, owner }) {
      await pool.query({
        name: 'idempotency-delete-claim',
        text: `DELETE FROM idempotency_keys
          WHERE tenant_id = $1 AND idempotency_key = $2 AND owner = $3 AND state = 'running'`,
        values: [tenantId, idempotencyKey, owner],
      })
    },
  }
}

interface KeyRow {
  fingerprint: Buffer
  state: 'running' | 'done'
  status_code: number | null
  content_type: string | null
  response: Buffer | null
  is_abandoned: boolean
}
