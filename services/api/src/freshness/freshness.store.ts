import type { Prisma, PrismaClient } from '@sesame/db'
import type { Pool } from 'pg'
import type { StoredSigningKey } from '../signing-keys/keyring.ts'
import { askOnce } from './changes-question.ts'
import { type LogPage, type LogRange, readLogPage } from './log-pages.ts'
import type { TenantChange } from './tenant-copy.ts'

/** What a copy is made of, apart from the revocations. */
export interface StoredTenant {
  tenantId: string
  name: string
  status: 'active' | 'suspended'
  settings: Prisma.JsonValue
  signingKeys: StoredSigningKey[]
}

export interface FreshnessStore {
  /** The number of a tenant's newest change; null where there is no such tenant. */
  findHead(tenantId: string): Promise<number | null>
  findTenant(tenantId: string): Promise<StoredTenant | null>
  /**
   * The changes of several tenants after the number that is known of each, in order. Where the log's
   * head is another than the known one and yet there is no such change, the answer holds a line of
   * kind null: the copy is ahead of a database that lost commits, or missed what was forgotten since.
   */
  listChanges(known: KnownHead[], limitPerTenant: number): Promise<(TenantChange | LostTrack)[]>
  /** Sessions that ended or changed, many at a time: for loading, on the everyday connections. */
  readLogPage(tenantId: string, range: LogRange, since: Date, limit: number): Promise<LogPage>
  /** The bulk revokes in a page of the log. */
  listBulks(tenantId: string, range: LogRange): Promise<TenantChange[]>
}

/** Something is between the copy and the log that a change cannot mend. */
export interface LostTrack {
  tenantId: string
  kind: null
}

export interface KnownHead {
  tenantId: string
  seq: number
}

interface FreshnessStoreDeps {
  prisma: PrismaClient
  pool: Pool
  freshnessPool: Pool
}

export function createFreshnessStore({
  prisma,
  pool,
  freshnessPool,
}: FreshnessStoreDeps): FreshnessStore {
  return {
    async findHead(tenantId) {
      const head = await prisma.tenantHead.findUnique({ where: { tenantId } })
      return head === null ? null : Number(head.seq)
    },
    async findTenant(tenantId) {
      const row = await prisma.tenant.findUnique({
        where: { id: tenantId, deletedAt: null },
        include: { signingKeys: true },
      })
      if (row === null) return null
      const { name, settings, signingKeys } = row
      const status = row.status === 'suspended' ? 'suspended' : 'active'
      return { tenantId, name, status, settings, signingKeys }
    },
    // The one statement that every verify waits for: prepared, and on connections of its own.
    async listChanges(known, limitPerTenant) {
      const lines = await askOnce(freshnessPool, LIST_CHANGES, [
        known.map(({ tenantId }) => tenantId).join(','),
        known.map(({ seq }) => seq).join(','),
        String(limitPerTenant),
      ])
      return lines.map(toLine)
    },
    readLogPage: (tenantId, range, since, limit) =>
      readLogPage(pool, { tenantId, ...range, since, limit, isRevokedOnly: false }),
    async listBulks(tenantId, { afterSeq, upToSeq }) {
      const { rows } = await pool.query<TenantChange>({
        name: 'list_bulks',
        text: `SELECT ${CHANGE_COLUMNS} FROM tenant_changes
               WHERE tenant_id = $1 AND seq > $2 AND seq <= $3 AND kind = 'bulk'`,
        values: [tenantId, afterSeq, upToSeq],
      })
      return rows
    },
  }
}

const CHANGE_COLUMNS = `
  tenant_id AS "tenantId", seq, kind, session_id AS "sessionId", user_id AS "userId",
  org_id AS "orgId", app_id AS "appId", except_session_id AS "exceptSessionId", generation,
  forget_after AS "forgetAfter"`

/** A line as JSON writes it. */
type StoredLine = (Omit<TenantChange, 'forgetAfter'> & { forgetAfter: string }) | LostTrack

function toLine(text: string): TenantChange | LostTrack {
  const line: StoredLine = JSON.parse(text)
  return line.kind === null ? line : { ...line, forgetAfter: new Date(line.forgetAfter) }
}

// The lists come as texts: pg takes twice the time to write an array of a thousand. A line is one
// column of JSON, which says itself what is a number and what is not there.
const LIST_CHANGES = {
  name: 'list_changes',
  text: `
  SELECT json_build_object(
    'tenantId', known.tenant_id, 'seq', change.seq, 'kind', change.kind,
    'sessionId', change."sessionId", 'userId', change."userId", 'orgId', change."orgId",
    'appId', change."appId", 'exceptSessionId', change."exceptSessionId",
    'generation', change.generation, 'forgetAfter', change."forgetAfter"
  ) AS line
  FROM unnest(string_to_array($1, ','), string_to_array($2, ',')::bigint[])
    AS known (tenant_id, seq)
  LEFT JOIN tenant_heads AS head ON head.tenant_id = known.tenant_id
  LEFT JOIN LATERAL (
    SELECT ${CHANGE_COLUMNS} FROM tenant_changes
    WHERE tenant_id = known.tenant_id AND seq > known.seq
    ORDER BY seq LIMIT $3
  ) AS change ON true
  WHERE head.seq IS DISTINCT FROM known.seq`,
}
