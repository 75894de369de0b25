import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ApiKeyWithSecret } from '../api-keys/api-keys.schema.ts'
import { Page } from '../shared/schema.ts'
import { Type } from '../shared/type.ts'
import {
  CreateTenant,
  ListTenantsQuery,
  Tenant,
  TenantParams,
  UpdateTenant,
} from './tenants.schema.ts'
import type { TenantService } from './tenants.service.ts'

export const tenantRoutes: FastifyPluginAsyncTypebox<{ tenants: TenantService }> = async (
  app,
  { tenants },
) => {
  const tags = ['Tenants']
  const config = { operator: true } as const

  app.post(
    '/tenants',
    {
      schema: {
        operationId: 'createTenant',
        summary: 'Make a tenant with its first API key',
        tags,
        body: CreateTenant,
        response: {
          201: Type.Object(
            { tenant: Tenant, api_key: ApiKeyWithSecret },
            { additionalProperties: false },
          ),
        },
      },
      config,
    },
    async (request, reply) => reply.code(201).send(await tenants.create(request.body)),
  )

  app.get(
    '/tenants',
    {
      schema: {
        operationId: 'listTenants',
        summary: 'All tenants, newest first',
        tags,
        querystring: ListTenantsQuery,
        response: { 200: Page(Tenant) },
      },
      config,
    },
    request => tenants.list(request.query),
  )

  app.get(
    '/tenants/:tenantId',
    {
      schema: {
        operationId: 'getTenant',
        summary: 'One tenant',
        tags,
        params: TenantParams,
        response: { 200: Tenant },
      },
      config,
    },
    request => tenants.get(request.params.tenantId),
  )

  app.patch(
    '/tenants/:tenantId',
    {
      schema: {
        operationId: 'updateTenant',
        summary: 'Rename, suspend or set a tenant',
        description: 'Settings that are left out stay as they are; `apps` is replaced as a whole.',
        tags,
        params: TenantParams,
        body: UpdateTenant,
        response: { 200: Tenant },
      },
      config,
    },
    request => tenants.update(request.params.tenantId, request.body),
  )

  app.delete(
    '/tenants/:tenantId',
    {
      schema: {
        operationId: 'deleteTenant',
        summary: 'End a tenant: its keys and tokens are refused from the moment this answers',
        tags,
        params: TenantParams,
        response: { 204: Type.Null({ description: 'Gone.' }) },
      },
      config,
    },
    async (request, reply) => {
      await tenants.delete(request.params.tenantId)
      return reply.code(204).send(null)
    },
  )
}
