import type { ApiKeyWithSecret } from '../api-keys/api-keys.schema.ts'
import { SCOPES } from '../api-keys/api-keys.schema.ts'
import type { ApiKeyService } from '../api-keys/api-keys.service.ts'
import type { LifetimeService } from '../sessions/lifetimes.service.ts'
import type { Clock } from '../shared/clock.ts'
import { type Cursors, toPage } from '../shared/cursor.ts'
import { newId, SERVICE_TENANT_ID } from '../shared/ids.ts'
import { Problem } from '../shared/problem.ts'
import { DEFAULT_PAGE_LIMIT, type PageOf } from '../shared/schema.ts'
import type { SigningKeyService } from '../signing-keys/signing-keys.service.ts'
import type { CreateTenant, Tenant, UpdateTenant } from './tenants.schema.ts'
import { mergeSettings, readSettings } from './tenants.settings.ts'
import type { StoredTenant, TenantStore } from './tenants.store.ts'

/** What an operator does with tenants. */
export interface TenantService {
  /** With a first API key that holds every scope. */
  create(body: CreateTenant): Promise<{ tenant: Tenant; api_key: ApiKeyWithSecret }>
  get(tenantId: string): Promise<Tenant>
  /** Newest first. */
  list(query: { cursor?: string; limit?: number }): Promise<PageOf<Tenant>>
  update(tenantId: string, body: UpdateTenant): Promise<Tenant>
  /** From the moment this returns the tenant does not exist: no key, no token of it is good. */
  delete(tenantId: string): Promise<void>
}

export interface TenantDeps {
  store: TenantStore
  apiKeys: Pick<ApiKeyService, 'create'>
  signingKeys: Pick<SigningKeyService, 'createFirst'>
  lifetimes: Pick<LifetimeService, 'follow'>
  cursors: Cursors
  clock: Clock
}

const OPERATOR = 'operator'

export function createTenantService(deps: TenantDeps): TenantService {
  const { store, apiKeys, signingKeys, lifetimes, cursors, clock } = deps
  return {
    async create({ name, status = 'active', settings = {} }) {
      const createdAt = new Date(clock.nowMs())
      const tenant = { id: newId('tnt'), name, status, settings, createdAt }
      const keys = await signingKeys.createFirst(tenant.id, createdAt)
      await store.insert(tenant, keys, { type: 'tenant.created', actor: OPERATOR })
      const grantor = { actor: OPERATOR, scopes: new Set<string>(SCOPES) }
      const apiKey = await apiKeys.create(tenant.id, { name: 'First key' }, grantor)
      return { tenant: toTenant(tenant), api_key: apiKey }
    },

    async get(tenantId) {
      const tenant = await store.find(tenantId)
      if (tenant === null) throw new Problem('tenant_not_found')
      return toTenant(tenant)
    },

    async list({ cursor, limit = DEFAULT_PAGE_LIMIT }) {
      const scope = { tenantId: SERVICE_TENANT_ID, list: 'tenants', filters: {} }
      const beforeId = cursor === undefined ? null : cursors.open(scope, cursor)
      const rows = await store.list(beforeId, limit + 1)
      return toPage(rows, limit, toTenant, lastId => cursors.seal(scope, lastId))
    },

    async update(tenantId, { name, status, settings }) {
      const given = { ...(name !== undefined && { name }), ...(status !== undefined && { status }) }
      const data = { changed: Object.keys({ ...given, ...settings }) }
      const event = { type: 'tenant.updated' as const, actor: OPERATOR, data }
      const at = new Date(clock.nowMs())
      const updated = await store.update(tenantId, at, event, tenant => ({
        ...given,
        ...(settings !== undefined && { settings: mergeSettings(tenant.settings, settings) }),
      }))
      if (updated === null) throw new Problem('tenant_not_found')
      if (settings !== undefined) await lifetimes.follow(tenantId)
      return toTenant(updated)
    },

    async delete(tenantId) {
      const event = { type: 'tenant.deleted' as const, actor: OPERATOR }
      if (!(await store.delete(tenantId, new Date(clock.nowMs()), event)))
        throw new Problem('tenant_not_found')
    },
  }
}

const toTenant = (row: Omit<StoredTenant, 'settings'> & { settings: unknown }): Tenant => ({
  object: 'tenant',
  id: row.id,
  name: row.name,
  status: row.status === 'suspended' ? 'suspended' : 'active',
  settings: readSettings(row.settings),
  created_at: row.createdAt.toISOString(),
})
