import type { FastifyRequest } from 'fastify'
import type { TenantCopy } from '../freshness/tenant-copy.ts'

/** Who makes a request, as authentication found it. */
export interface Actor {
  /** Id of the API key, or `operator`. */
  actor: string
  tenantId: string
  /** The tenant, as current as the arrival of the request. */
  tenant: TenantCopy
  scopes: ReadonlySet<string>
  proof: Proof
}

/** What the caller proved who it is with, for what outlives the request. */
export interface Proof {
  /** Where the tenant's log stood then: what came later may have ended the key or the tenant. */
  seq: number
  /** When the secret ends by itself; null for never. */
  expiresAt: Date | null
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Null on public routes, and on the operator's own routes. */
    actor: Actor | null
  }
}

/** The actor of a request to a route that asks for a scope. */
export function actorOf(request: FastifyRequest): Actor {
  if (request.actor === null) throw new Error(`no actor on ${request.routeOptions.url}`)
  return request.actor
}
