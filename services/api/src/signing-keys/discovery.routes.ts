import { hash } from 'node:crypto'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Freshness } from '../freshness/freshness.service.ts'
import type { TenantCopy } from '../freshness/tenant-copy.ts'
import { clientAddress } from '../http/client-address.ts'
import type { RateLimits } from '../http/rate-limit-hook.ts'
import type { Clock } from '../shared/clock.ts'
import { isTenantId } from '../shared/ids.ts'
import { Problem } from '../shared/problem.ts'
import { Type } from '../shared/type.ts'
import { TenantId } from '../tenants/tenants.schema.ts'
import { JwkSet } from './signing-keys.schema.ts'
import { JWKS_MAX_AGE_SECONDS } from './signing-keys.service.ts'

export interface DiscoveryOptions {
  freshness: Freshness
  clock: Clock
  /** Public base of the service, without a slash at the end. */
  publicUrl: string
  rateLimits: Pick<RateLimits, 'refuseIfExhausted' | 'noteFailure'>
}

/** What anybody may read of a tenant: its JWK set and its RFC 8414 metadata. */
export const discoveryRoutes: FastifyPluginAsyncTypebox<DiscoveryOptions> = async (
  app,
  options,
) => {
  const { freshness, clock, publicUrl, rateLimits } = options
  // Nobody needs a key here: who asks for tenants that do not exist must not keep Postgres busy.
  const tenant = async (tenantId: string, request: FastifyRequest): Promise<TenantCopy> => {
    const address = clientAddress(request)
    if (freshness.peek(tenantId) === null) rateLimits.refuseIfExhausted(address)
    const copy = isTenantId(tenantId) ? await freshness.current(tenantId) : null
    if (copy !== null) return copy
    rateLimits.noteFailure(address)
    throw new Problem('tenant_not_found')
  }
  const jwks = async (tenantId: string, request: FastifyRequest, reply: FastifyReply) => {
    const { keyring } = await tenant(tenantId, request)
    return sendCacheable(request, reply, { keys: keyring.published(clock.nowMs()) })
  }

  app.get(
    '/t/:tenantId/.well-known/jwks.json',
    {
      schema: {
        operationId: 'getTenantJwks',
        summary: "A tenant's JWK set",
        tags: ['Discovery'],
        params: Type.Object({ tenantId: TenantId }, { additionalProperties: false }),
        response: { 200: JwkSet, 304: NotModified },
      },
      config: { public: true },
    },
    (request, reply) => jwks(request.params.tenantId, request, reply),
  )

  app.get(
    '/.well-known/jwks.json',
    {
      schema: {
        operationId: 'getJwks',
        summary: 'The JWK set of the tenant that X-Tenant-ID names',
        tags: ['Discovery'],
        response: { 200: JwkSet, 304: NotModified },
      },
      config: { public: true },
    },
    (request, reply) => {
      const tenantId = request.headers['x-tenant-id']
      if (typeof tenantId !== 'string')
        throw new Problem('tenant_missing', {
          detail: 'Name the tenant in X-Tenant-ID, or use /t/{tenant_id}/.well-known/jwks.json.',
        })
      // One URL, an answer for each tenant: a shared cache must know.
      reply.header('vary', 'X-Tenant-ID')
      return jwks(tenantId, request, reply)
    },
  )

  app.get(
    '/t/:tenantId/.well-known/oauth-authorization-server',
    {
      schema: {
        operationId: 'getAuthorizationServerMetadata',
        summary: 'Authorization server metadata (RFC 8414)',
        tags: ['Discovery'],
        params: Type.Object({ tenantId: TenantId }, { additionalProperties: false }),
        response: { 200: Metadata, 304: NotModified },
      },
      config: { public: true },
    },
    async (request, reply) => {
      const { tenantId } = await tenant(request.params.tenantId, request)
      const issuer = `${publicUrl}/t/${tenantId}`
      return sendCacheable(request, reply, {
        issuer,
        jwks_uri: `${issuer}/.well-known/jwks.json`,
        // A tenant's backend begins sessions by its secret key: there is no authorization endpoint,
        // and no token endpoint with a grant of RFC 6749.
        response_types_supported: [],
        grant_types_supported: [],
        token_endpoint_auth_methods_supported: ['none'],
        service_documentation: `${publicUrl}/docs`,
      })
    },
  )
}

const NotModified = Type.Null({ description: 'What the caller has is current (RFC 9110).' })

const Metadata = Type.Object(
  {
    issuer: Type.String(),
    jwks_uri: Type.String(),
    response_types_supported: Type.Array(Type.String()),
    grant_types_supported: Type.Array(Type.String()),
    token_endpoint_auth_methods_supported: Type.Array(Type.String()),
    service_documentation: Type.String(),
  },
  { additionalProperties: false, description: 'Authorization server metadata (RFC 8414).' },
)

function sendCacheable<T>(request: FastifyRequest, reply: FastifyReply, body: T) {
  const etag = `"${hash('sha256', JSON.stringify(body), 'base64url').slice(0, 22)}"`
  reply.header('cache-control', `public, max-age=${JWKS_MAX_AGE_SECONDS}, must-revalidate`)
  reply.header('etag', etag)
  // A page on any origin may verify tokens: what is here is public.
  reply.header('access-control-allow-origin', '*')
  if (isKnown(request.headers['if-none-match'], etag)) return reply.code(304).send(null)
  return reply.code(200).send(body)
}

/** If-None-Match holds a list, weak tags too, or a star (RFC 9110, 13.1.2). */
function isKnown(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false
  const tags = ifNoneMatch.split(',').map(tag => tag.trim().replace(/^W\//, ''))
  return tags.includes('*') || tags.includes(etag)
}
