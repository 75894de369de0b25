import { createHash } from 'node:crypto'
import { type Calls, type Credential, remove } from './calls.ts'
import type { Body } from './http.ts'

/** What a round works in: a tenant, a key of it, and the operator acting in it. */
export interface Place {
  tenantId: string
  byKey: Credential
  byOperator: Credential
}

const SETTINGS = {
  rate_limit_per_second: 1_000_000,
  // No token ends by itself before the run does, which would look like a refusal.
  access_token_ttl_seconds: 86_400,
}

/** Null when it cannot be had at the moment. */
export async function createTenant(
  calls: Calls,
  operatorKey: string,
  settings: object = {},
): Promise<Place | null> {
  const create = { name: 'Chaos', settings: { access_token_ttl_seconds: 86_400 } }
  const made = await calls.plain({
    method: 'POST',
    path: '/v1/tenants',
    key: operatorKey,
    body: create,
  })
  const { tenant, api_key: apiKey } = made.body
  if (tenant === undefined || apiKey === undefined) return null
  const { status } = await calls.plain({
    method: 'PATCH',
    path: `/v1/tenants/${tenant.id}`,
    key: operatorKey,
    body: { settings: { ...SETTINGS, ...settings } },
  })
  if (status !== 200) return null
  const subjects = [`tenant:${tenant.id}`]
  return {
    tenantId: tenant.id,
    byKey: credentialOf(tenant.id, apiKey),
    byOperator: { key: operatorKey, tenantId: tenant.id, subjects },
  }
}

/** The credential in an answer that shows a new secret; a rotation ends the secret alone. */
export function credentialOf(
  tenantId: string,
  { id, secret }: Pick<Body, 'id' | 'secret'>,
): Credential {
  if (id === undefined || secret === undefined) throw new Error('the answer shows no secret')
  const subjects = [`tenant:${tenantId}`, `key:${id}`, secretSubject(secret)]
  return { key: secret, tenantId, subjects }
}

/** Tells two of them apart, in a log too, and opens nothing. */
export const secretSubject = (secret: string): string =>
  `secret:${createHash('sha256').update(secret).digest('hex').slice(0, 8)}`

export const deleteKey = (by: Credential, id: string) => remove(by, `/v1/api-keys/${id}`)
