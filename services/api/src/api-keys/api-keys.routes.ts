import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { actorOf } from '../http/request-context.ts'
import { Page } from '../shared/schema.ts'
import { Type } from '../shared/type.ts'
import {
  ApiKey,
  ApiKeyParams,
  ApiKeyWithSecret,
  CreateApiKey,
  ListApiKeysQuery,
  RotateApiKey,
} from './api-keys.schema.ts'
import type { ApiKeyService } from './api-keys.service.ts'

export const apiKeyRoutes: FastifyPluginAsyncTypebox<{ apiKeys: ApiKeyService }> = async (
  app,
  { apiKeys },
) => {
  const tags = ['API keys']
  const config = { scope: 'keys:write' } as const

  app.post(
    '/api-keys',
    {
      schema: {
        operationId: 'createApiKey',
        summary: 'Make an API key; the secret is in this answer only',
        tags,
        body: CreateApiKey,
        response: { 201: ApiKeyWithSecret },
      },
      config,
    },
    async (request, reply) => {
      const grantor = actorOf(request)
      return reply.code(201).send(await apiKeys.create(grantor.tenantId, request.body, grantor))
    },
  )

  app.get(
    '/api-keys',
    {
      schema: {
        operationId: 'listApiKeys',
        summary: 'The API keys that are not revoked, newest first',
        tags,
        querystring: ListApiKeysQuery,
        response: { 200: Page(ApiKey) },
      },
      config,
    },
    request => apiKeys.list(actorOf(request).tenantId, request.query),
  )

  app.post(
    '/api-keys/:apiKeyId/rotate',
    {
      schema: {
        operationId: 'rotateApiKey',
        summary: 'Give an API key a new secret; the old one works for the overlap',
        tags,
        params: ApiKeyParams,
        body: RotateApiKey,
        response: { 200: ApiKeyWithSecret },
      },
      config,
    },
    request => {
      const grantor = actorOf(request)
      const { apiKeyId } = request.params
      return apiKeys.rotate(grantor.tenantId, apiKeyId, request.body, grantor)
    },
  )

  app.delete(
    '/api-keys/:apiKeyId',
    {
      schema: {
        operationId: 'revokeApiKey',
        summary: 'Revoke an API key: refused everywhere from the moment this answers',
        tags,
        params: ApiKeyParams,
        response: { 204: Type.Null({ description: 'Revoked, now or before.' }) },
      },
      config,
    },
    async (request, reply) => {
      const { tenantId, actor } = actorOf(request)
      await apiKeys.revoke(tenantId, request.params.apiKeyId, actor)
      return reply.code(204).send(null)
    },
  )
}
