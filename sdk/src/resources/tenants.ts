import { cursorPages, LIST, type Pages } from '../client/pages.ts'
import type { CreateOptions, RequestOptions } from '../client/request-options.ts'
import { toQuery } from '../client/route.ts'
import type { Transport } from '../client/transport.ts'
import type {
  CreateTenantParams,
  CreateTenantResult,
  ListTenantsParams,
  Tenant,
  UpdateTenantParams,
} from '../generated/model.ts'

const TENANT = ['id', 'status', 'settings'] as const

/** Tenants: isolated customers of the service. For an operator key. */
export class Tenants {
  readonly #send: Transport

  /** @internal */
  constructor(send: Transport) {
    this.#send = send
  }

  /** Makes a tenant and its first API key, whose `secret` is shown here and never again. */
  async create(params: CreateTenantParams, options?: CreateOptions): Promise<CreateTenantResult> {
    const answers = ['tenant', 'apiKey'] as const
    return this.#send('POST /v1/tenants', { body: params, options, answers })
  }

  /** All tenants, newest first. */
  list(params: ListTenantsParams = {}, options?: RequestOptions): Pages<Tenant> {
    toQuery(params)
    return cursorPages(position => {
      const query = { ...params, ...position }
      return this.#send('GET /v1/tenants', { query, options, answers: LIST })
    })
  }

  /** @throws NotFoundError */
  async get(tenantId: string, options?: RequestOptions): Promise<Tenant> {
    const path = { tenantId }
    return this.#send('GET /v1/tenants/{tenantId}', { path, options, answers: TENANT })
  }

  /** Renames, suspends or sets a tenant. Settings that are left out stay; `apps` is replaced. */
  async update(
    tenantId: string,
    params: UpdateTenantParams,
    options?: RequestOptions,
  ): Promise<Tenant> {
    const call = { path: { tenantId }, body: params, options, answers: TENANT }
    return this.#send('PATCH /v1/tenants/{tenantId}', call)
  }

  /** Ends a tenant: its keys and tokens are refused once this resolves. */
  async delete(tenantId: string, options?: RequestOptions): Promise<void> {
    return this.#send('DELETE /v1/tenants/{tenantId}', { path: { tenantId }, options })
  }
}
