import type { FastifyRequest } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { SCOPES } from '../api-keys/api-keys.schema.ts'
import type { ApiKeyService } from '../api-keys/api-keys.service.ts'
import type { Freshness } from '../freshness/freshness.service.ts'
import { equalInConstantTime, sha256 } from '../shared/crypto.ts'
import { isTenantId } from '../shared/ids.ts'
import { Problem } from '../shared/problem.ts'
import { clientAddress } from './client-address.ts'
import type { HeadStarts } from './head-start.ts'
import type { RateLimits } from './rate-limit-hook.ts'
import type { Actor } from './request-context.ts'
import './route-config.ts'
import type { SecretMemory } from './secret-memory.ts'

export interface AuthenticationOptions {
  apiKeys: Pick<ApiKeyService, 'authenticate'>
  freshness: Freshness
  /** SHA-256 of the operator key. */
  operatorKeyHash: Buffer
  rateLimits: RateLimits
  secrets: SecretMemory
  headStarts: HeadStarts
}

const OPERATOR_SCOPES: ReadonlySet<string> = new Set(SCOPES)

/**
 * Who asks, for which tenant, and may they? Runs before the body is read. A route says what it needs
 * in its config; one that says nothing is refused by a test, and by the code below.
 */
export const authentication = fastifyPlugin<AuthenticationOptions>(async (app, options) => {
  const { rateLimits, headStarts } = options
  app.decorateRequest('actor', null)
  app.addHook('onRequest', async (request, reply) => {
    if (request.is404) return
    const { config } = request.routeOptions
    const { operator: isOperatorRoute, scope } = config
    if (config.public === true) return
    if (config.keyOptional === true && request.headers.authorization === undefined) {
      rateLimits.refuseIfExhausted(clientAddress(request))
      return
    }
    const credential = credentialOf(request)
    if (credential.startsWith('ok_')) {
      request.actor = await authenticateOperator(
        request,
        credential,
        isOperatorRoute === true,
        options,
      )
    } else {
      request.actor = await authenticateApiKey(request, credential, options)
      if (isOperatorRoute === true) throw missingScope('This route needs the operator key.')
    }
    const verdict = headStarts.get(request.raw)?.verdict ?? rateLimits.take(bucketOf(request))
    rateLimits.apply(reply, verdict instanceof Promise ? await verdict : verdict)
    if (scope !== undefined && request.actor !== null && !request.actor.scopes.has(scope))
      throw missingScope(`This key lacks the scope ${scope}.`)
  })
})

function credentialOf(request: FastifyRequest): string {
  return request.routeOptions.config.form === true
    ? (basicPasswordOf(request.headers.authorization) ?? bearerOf(request))
    : bearerOf(request)
}

/** RFC 6749, 2.3.1: the client's secret is the password, form-encoded and then in base64. */
function basicPasswordOf(authorization: string | undefined): string | null {
  const encoded = /^Basic +([A-Za-z0-9+/]{1,1024}={0,2})$/i.exec(authorization ?? '')?.[1]
  if (encoded === undefined) return null
  const [, password] = /^[^:]*:(.*)$/s.exec(Buffer.from(encoded, 'base64').toString()) ?? []
  try {
    return decodeURIComponent(password ?? '')
  } catch {
    return ''
  }
}

const BEARER = /^Bearer +([\x21-\x7e]{1,512})$/i

function bearerOf(request: FastifyRequest): string {
  const header = request.headers.authorization
  // What is missing or malformed goes the way of an unknown key: one answer, the same work.
  return (header === undefined ? undefined : BEARER.exec(header)?.[1]) ?? ''
}

async function authenticateApiKey(
  request: FastifyRequest,
  secret: string,
  { apiKeys, rateLimits, secrets, headStarts }: AuthenticationOptions,
): Promise<Actor> {
  try {
    const { copy, apiKey, provenAtSeq } = await apiKeys.authenticate(
      secrets.read(request.socket, secret),
      {
        beforeLookUp: tenantId => rateLimits.refuseIfExhausted(clientAddress(request), tenantId),
        afterFailure: tenantId => rateLimits.noteFailure(clientAddress(request), tenantId),
      },
      headStarts.get(request.raw)?.copy,
    )
    const { tenantId } = copy
    const asked = request.headers['x-tenant-id']
    if (asked !== undefined && asked !== tenantId) throw new Problem('tenant_mismatch')
    if (copy.status === 'suspended') throw new Problem('tenant_suspended')
    const proof = { seq: provenAtSeq, expiresAt: apiKey.expiresAt }
    return { actor: apiKey.id, tenantId, tenant: copy, scopes: apiKey.scopes, proof }
  } catch (error) {
    throw error instanceof Problem && error.code === 'api_key_invalid' ? unauthenticated() : error
  }
}

/** Null on the operator's own routes; elsewhere the operator acts inside the tenant it names. */
async function authenticateOperator(
  request: FastifyRequest,
  credential: string,
  isOperatorRoute: boolean,
  { freshness, operatorKeyHash, rateLimits }: AuthenticationOptions,
): Promise<Actor | null> {
  if (!equalInConstantTime(sha256(credential), operatorKeyHash)) {
    rateLimits.noteFailure(clientAddress(request))
    throw unauthenticated()
  }
  if (isOperatorRoute) return null
  const tenantId = request.headers['x-tenant-id']
  if (typeof tenantId !== 'string')
    throw new Problem('tenant_missing', { detail: 'Name the tenant to act in by X-Tenant-ID.' })
  const tenant = isTenantId(tenantId) ? await freshness.current(tenantId) : null
  if (tenant === null) throw new Problem('tenant_not_found')
  const proof = { seq: tenant.seq, expiresAt: null }
  return { actor: 'operator', tenantId, tenant, scopes: OPERATOR_SCOPES, proof }
}

function bucketOf({ actor }: FastifyRequest) {
  if (actor === null) return OPERATOR_BUCKET
  return {
    tenantId: actor.tenantId,
    apiKeyId: actor.actor,
    ratePerSecond: actor.tenant.settings.rate_limit_per_second,
  }
}

const OPERATOR_BUCKET = { tenantId: 'operator', apiKeyId: 'operator', ratePerSecond: 1_000 }

const unauthenticated = (): Problem =>
  new Problem('api_key_invalid', {
    detail: 'Send a secret key as `Authorization: Bearer sk_…`.',
    headers: { 'www-authenticate': 'Bearer realm="sesame"' },
  })

const missingScope = (detail: string): Problem => new Problem('scope_missing', { detail })
