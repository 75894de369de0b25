import { Prisma, type PrismaClient } from '@sesame/db'

/** Kinds of change that make every node read part of its copy anew. */
export type ReloadKind = 'api_keys' | 'signing_keys' | 'tenant'

/**
 * Writes a line of the tenant's change log, inside the caller's transaction: the change and the
 * notice of it are committed together, and the next question of every node finds it.
 */
export function appendChange(
  prisma: PrismaClient,
  tenantId: string,
  kind: ReloadKind,
): Prisma.PrismaPromise<number> {
  return prisma.$executeRaw(Prisma.sql`
    INSERT INTO tenant_changes (tenant_id, seq, kind, forget_after)
    VALUES (${tenantId}, sesame_next_seq(${tenantId}), ${kind}, now() + interval '1 day')`)
}
