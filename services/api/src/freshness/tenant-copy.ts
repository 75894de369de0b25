import type { Keyring } from '../signing-keys/keyring.ts'
import type { TenantSettings } from '../tenants/tenants.schema.ts'
import type { KnownRevocations } from './known-revocations.ts'

/** An API key as the request path needs it. */
export interface KnownApiKey {
  id: string
  scopes: ReadonlySet<string>
  /** When the key, or this secret of it, stops working; null for never. */
  expiresAt: Date | null
}

/** What a token says of the session it belongs to, as far as revocation goes. */
export interface SessionClaims {
  sessionId: string
  userId: string
  orgId: string | null
  appId: string | null
  generation: number
}

/** One line of a tenant's change log. */
export interface TenantChange {
  tenantId: string
  seq: number
  kind: 'session' | 'bulk' | 'api_keys' | 'signing_keys' | 'tenant'
  sessionId: string | null
  userId: string | null
  orgId: string | null
  appId: string | null
  exceptSessionId: string | null
  generation: number | null
  forgetAfter: Date
}

/**
 * A node's copy of what one tenant's requests need to know. It is trusted only right after the
 * freshness question has been answered for it (freshness.service.ts).
 */
export interface TenantCopy {
  readonly tenantId: string
  name: string
  status: 'active' | 'suspended'
  settings: TenantSettings
  keyring: Keyring
  /** By the hex of the secret's hash. Filled on demand, emptied when any key of the tenant changes. */
  apiKeys: Map<string, KnownApiKey>
  /** Grows when `apiKeys` is emptied: what was read before must not be put in after. */
  apiKeysVersion: number
  /** The number of the newest change that the copy holds. */
  seq: number
  revocations: KnownRevocations
}
