import type { Prisma, PrismaClient } from '@sesame/db'
import type { Pool } from 'pg'
import type { StoredSigningKey } from '../signing-keys/keyring.ts'
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
  /** The changes of several tenants after the number that is known of each, in order. */
  listChanges(known: KnownHead[], limitPerTenant: number): Promise<TenantChange[]>
}

export interface KnownHead {
  tenantId: string
  seq: number
}

export function createFreshnessStore(prisma: PrismaClient, freshnessPool: Pool): FreshnessStore {
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
      const { rows } = await freshnessPool.query<TenantChange>({
        name: 'list_changes',
        text: LIST_CHANGES,
        values: [
          known.map(({ tenantId }) => tenantId),
          known.map(({ seq }) => seq),
          limitPerTenant,
        ],
      })
      return rows
    },
  }
}

const LIST_CHANGES = `
  SELECT change.*
  FROM unnest($1::text[], $2::bigint[]) AS known (tenant_id, seq)
  CROSS JOIN LATERAL (
    SELECT tenant_id AS "tenantId", seq, kind, session_id AS "sessionId", user_id AS "userId",
           org_id AS "orgId", app_id AS "appId", except_session_id AS "exceptSessionId",
           generation, forget_after AS "forgetAfter"
    FROM tenant_changes
    WHERE tenant_id = known.tenant_id AND seq > known.seq
    ORDER BY seq LIMIT $3
  ) AS change`
