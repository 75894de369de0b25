import type { PrismaClient } from '@sesame/db'
import { eventRow, type NewEvent } from '../events/events.store.ts'
import { appendChange } from '../freshness/changes.store.ts'

export interface StoredApiKey {
  id: string
  name: string
  scopes: string[]
  createdAt: Date
  expiresAt: Date | null
  lastUsedAt: Date | null
  revokedAt: Date | null
  /** Newest first: the first is the current one. */
  secrets: { prefix: string; expiresAt: Date | null }[]
}

export interface NewStoredApiKey {
  id: string
  name: string
  scopes: string[]
  createdAt: Date
  expiresAt: Date | null
  secretHash: Buffer
  prefix: string
}

/** What the request path asks: the key a secret opens, and whether it still does. */
export interface FoundSecret {
  apiKeyId: string
  scopes: string[]
  revokedAt: Date | null
  /** The earlier of the key's and the secret's. */
  expiresAt: Date | null
}

export interface ApiKeyStore {
  findSecret(tenantId: string, secretHash: Buffer): Promise<FoundSecret | null>
  find(tenantId: string, id: string): Promise<StoredApiKey | null>
  list(tenantId: string, beforeId: string | null, limit: number): Promise<StoredApiKey[]>
  insert(tenantId: string, key: NewStoredApiKey, event: NewEvent): Promise<void>
  /**
   * Adds a secret and lets the earlier ones end at `othersExpireAt`, unless they end before; null
   * ends them at once.
   */
  rotate(
    tenantId: string,
    id: string,
    secret: { secretHash: Buffer; prefix: string; createdAt: Date },
    othersExpireAt: Date | null,
    event: NewEvent,
  ): Promise<void>
  /** False when it was revoked already. */
  revoke(tenantId: string, id: string, revokedAt: Date, event: NewEvent): Promise<boolean>
  /** Moves last-used times forward, never back. */
  updateLastUsed(uses: { tenantId: string; id: string; at: Date }[]): Promise<void>
}

const withSecrets = {
  secrets: { select: { prefix: true, expiresAt: true }, orderBy: { createdAt: 'desc' as const } },
}

export function createApiKeyStore(prisma: PrismaClient): ApiKeyStore {
  return {
    async findSecret(tenantId, secretHash) {
      const row = await prisma.apiKeySecret.findUnique({
        where: { tenantId_secretHash: { tenantId, secretHash: new Uint8Array(secretHash) } },
        include: { apiKey: true },
      })
      if (row === null) return null
      const { id, scopes, revokedAt, expiresAt } = row.apiKey
      return { apiKeyId: id, scopes, revokedAt, expiresAt: earlier(expiresAt, row.expiresAt) }
    },
    find: (tenantId, id) =>
      prisma.apiKey.findUnique({ where: { tenantId_id: { tenantId, id } }, include: withSecrets }),
    list: (tenantId, beforeId, limit) =>
      prisma.apiKey.findMany({
        where: { tenantId, revokedAt: null, ...(beforeId !== null && { id: { lt: beforeId } }) },
        include: withSecrets,
        orderBy: { id: 'desc' },
        take: limit,
      }),
    async insert(tenantId, { secretHash, prefix, ...key }, event) {
      const secret = { secretHash: new Uint8Array(secretHash), prefix, createdAt: key.createdAt }
      await prisma.$transaction([
        prisma.apiKey.create({
          data: { tenant: { connect: { id: tenantId } }, ...key, secrets: { create: secret } },
        }),
        prisma.event.create({ data: eventRow(tenantId, event, key.createdAt) }),
      ])
    },
    async rotate(tenantId, id, { secretHash, ...secret }, othersExpireAt, event) {
      await prisma.$transaction(async transaction => {
        // Two rotations at once must not overlook each other's secret.
        await transaction.$queryRaw`
          SELECT 1 FROM api_keys WHERE tenant_id = ${tenantId} AND id = ${id} FOR UPDATE`
        const others = { tenantId, apiKeyId: id }
        // At once means gone: an expiry of "now" would depend on how the clocks of nodes differ.
        if (othersExpireAt === null) await transaction.apiKeySecret.deleteMany({ where: others })
        else
          await transaction.apiKeySecret.updateMany({
            where: {
              ...others,
              OR: [{ expiresAt: null }, { expiresAt: { gt: othersExpireAt } }],
            },
            data: { expiresAt: othersExpireAt },
          })
        await transaction.apiKeySecret.create({
          data: { tenantId, apiKeyId: id, secretHash: new Uint8Array(secretHash), ...secret },
        })
        await transaction.event.create({ data: eventRow(tenantId, event, secret.createdAt) })
        await appendChange(transaction as PrismaClient, tenantId, 'api_keys')
      })
    },
    async revoke(tenantId, id, revokedAt, event) {
      return prisma.$transaction(async transaction => {
        const { count } = await transaction.apiKey.updateMany({
          where: { tenantId, id, revokedAt: null },
          data: { revokedAt },
        })
        if (count === 0) return false
        await transaction.event.create({ data: eventRow(tenantId, event, revokedAt) })
        await appendChange(transaction as PrismaClient, tenantId, 'api_keys')
        return true
      })
    },
    // One statement for all keys used in the last while.
    async updateLastUsed(uses) {
      await prisma.$executeRaw`
        UPDATE api_keys SET last_used_at = used.at
        FROM unnest(${uses.map(use => use.tenantId)}::text[], ${uses.map(use => use.id)}::text[],
                    ${uses.map(use => use.at)}::timestamptz[]) AS used (tenant_id, id, at)
        WHERE api_keys.tenant_id = used.tenant_id AND api_keys.id = used.id
          AND (last_used_at IS NULL OR last_used_at < used.at)`
    },
  }
}

function earlier(a: Date | null, b: Date | null): Date | null {
  if (a === null || b === null) return a ?? b
  return a < b ? a : b
}
