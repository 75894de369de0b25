import type { Prisma, PrismaClient } from '@sesame/db'
import { eventRow, type NewEvent } from '../events/events.store.ts'
import { appendChange } from '../freshness/changes.store.ts'
import type { StoredSigningKey } from '../signing-keys/keyring.ts'

export interface StoredTenant {
  id: string
  name: string
  status: string
  settings: Prisma.JsonValue
  createdAt: Date
}

export interface TenantChanges {
  name?: string
  status?: string
  settings?: Prisma.InputJsonObject
}

export interface TenantStore {
  find(tenantId: string): Promise<StoredTenant | null>
  list(beforeId: string | null, limit: number): Promise<StoredTenant[]>
  /** The tenant, its change log's head, its signing keys and the event, as one. */
  insert(
    tenant: Omit<StoredTenant, 'settings'> & { settings: Prisma.InputJsonObject },
    signingKeys: StoredSigningKey[],
    event: NewEvent,
  ): Promise<void>
  /**
   * Lets `decide` say what changes, with the tenant's row locked, so that two changes of settings at
   * once are both kept. Null when there is no such tenant.
   */
  update(
    tenantId: string,
    at: Date,
    event: NewEvent,
    decide: (tenant: StoredTenant) => TenantChanges,
  ): Promise<StoredTenant | null>
  /** Marks the tenant as gone: from now on it does not exist. False when it did not before. */
  delete(tenantId: string, at: Date, event: NewEvent): Promise<boolean>
}

export function createTenantStore(prisma: PrismaClient): TenantStore {
  return {
    find: tenantId => prisma.tenant.findUnique({ where: { id: tenantId, deletedAt: null } }),
    list: (beforeId, limit) =>
      prisma.tenant.findMany({
        where: { deletedAt: null, ...(beforeId !== null && { id: { lt: beforeId } }) },
        orderBy: { id: 'desc' },
        take: limit,
      }),
    async insert(tenant, signingKeys, event) {
      const keys = signingKeys.map(key => ({
        ...key,
        privateKeySealed: new Uint8Array(key.privateKeySealed),
      }))
      await prisma.$transaction([
        prisma.tenant.create({ data: { ...tenant, updatedAt: tenant.createdAt } }),
        prisma.tenantHead.create({ data: { tenantId: tenant.id } }),
        prisma.signingKey.createMany({ data: keys }),
        prisma.event.create({ data: eventRow(tenant.id, event, tenant.createdAt) }),
      ])
    },
    update: (tenantId, at, event, decide) =>
      prisma.$transaction(async transaction => {
        await transaction.$queryRaw`SELECT 1 FROM tenants WHERE tenant_id = ${tenantId} FOR UPDATE`
        const tenant = await transaction.tenant.findUnique({
          where: { id: tenantId, deletedAt: null },
        })
        if (tenant === null) return null
        const changes = decide(tenant)
        const updated = await transaction.tenant.update({
          where: { id: tenantId },
          data: { ...changes, updatedAt: at },
        })
        if (changes.settings !== undefined)
          await beginLifetimeWalk(transaction as PrismaClient, tenantId)
        await transaction.event.create({ data: eventRow(tenantId, event, at) })
        await appendChange(transaction as PrismaClient, tenantId, 'tenant')
        return updated
      }),
    delete: (tenantId, at, event) =>
      prisma.$transaction(async transaction => {
        const { count } = await transaction.tenant.updateMany({
          where: { id: tenantId, deletedAt: null },
          data: { deletedAt: at, updatedAt: at },
        })
        if (count === 0) return false
        await transaction.event.create({ data: eventRow(tenantId, event, at) })
        await appendChange(transaction as PrismaClient, tenantId, 'tenant')
        return true
      }),
  }
}

/** From its beginning, also where one was under way: what it has passed knows other settings. */
const beginLifetimeWalk = (prisma: PrismaClient, tenantId: string) => prisma.$executeRaw`
  INSERT INTO lifetime_walks (tenant_id) VALUES (${tenantId})
  ON CONFLICT (tenant_id)
  DO UPDATE SET changed_at = now(), began_at = now(), after_id = '', is_over = false`
