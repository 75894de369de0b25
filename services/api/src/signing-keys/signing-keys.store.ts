import type { PrismaClient } from '@sesame/db'
import { eventRow, type NewEvent } from '../events/events.store.ts'
import { appendChange } from '../freshness/changes.store.ts'
import type { StoredSigningKey } from './keyring.ts'

/** The keys as they are, and as they shall be: decided by the service under the tenant's lock. */
export type KeyChange = {
  inserts: StoredSigningKey[]
  updates: { kid: string; set: Partial<StoredSigningKey> & { revokeReason?: string } }[]
  event: NewEvent
}

export interface SigningKeyStore {
  list(tenantId: string): Promise<StoredSigningKey[]>
  /**
   * Reads the tenant's keys, lets `decide` say what changes, and writes that, as one: changes of one
   * tenant's keys wait for each other. Null from `decide` changes nothing.
   */
  change(
    tenantId: string,
    at: Date,
    decide: (keys: StoredSigningKey[]) => KeyChange | null,
  ): Promise<StoredSigningKey[]>
}

export function createSigningKeyStore(prisma: PrismaClient): SigningKeyStore {
  const list = (tenantId: string) =>
    prisma.signingKey.findMany({ where: { tenantId }, orderBy: { createdAt: 'desc' } })
  return {
    list,
    async change(tenantId, at, decide) {
      await prisma.$transaction(async transaction => {
        // The tenant's row is the lock. Rotations are rare, so an interactive transaction is fine.
        await transaction.$queryRaw`SELECT 1 FROM tenants WHERE tenant_id = ${tenantId} FOR UPDATE`
        const change = decide(await transaction.signingKey.findMany({ where: { tenantId } }))
        if (change === null) return
        await transaction.signingKey.createMany({ data: change.inserts.map(toRow) })
        for (const { kid, set } of change.updates)
          await transaction.signingKey.update({
            where: { tenantId_kid: { tenantId, kid } },
            data: toRow(set),
          })
        await transaction.event.create({ data: eventRow(tenantId, change.event, at) })
        await appendChange(transaction as PrismaClient, tenantId, 'signing_keys')
      })
      return list(tenantId)
    },
  }
}

/** Prisma types its bytes more narrowly than Node does its buffers. */
function toRow<T extends { privateKeySealed?: Uint8Array }>(key: T) {
  const { privateKeySealed, ...rest } = key
  return (
    privateKeySealed === undefined
      ? rest
      : { ...rest, privateKeySealed: new Uint8Array(privateKeySealed) }
  ) as Omit<T, 'privateKeySealed'> & { privateKeySealed: Uint8Array<ArrayBuffer> }
}
