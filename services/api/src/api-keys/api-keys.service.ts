import type { Freshness } from '../freshness/freshness.service.ts'
import type { KnownApiKey, TenantCopy } from '../freshness/tenant-copy.ts'
import type { Clock } from '../shared/clock.ts'
import { type Cursors, toPage } from '../shared/cursor.ts'
import { newId, SERVICE_TENANT_ID } from '../shared/ids.ts'
import { Problem } from '../shared/problem.ts'
import { DEFAULT_PAGE_LIMIT, type PageOf } from '../shared/schema.ts'
import { within } from '../shared/within.ts'
import { createSecret, type PresentedSecret, readSecret } from './api-key-secret.ts'
import {
  type ApiKey,
  type ApiKeyWithSecret,
  type CreateApiKey,
  type ListApiKeysQuery,
  type RotateApiKey,
  SCOPES,
} from './api-keys.schema.ts'
import type { ApiKeyStore, StoredApiKey } from './api-keys.store.ts'

/** Who asks, and which scopes it may hand on. */
export interface Grantor {
  actor: string
  scopes: ReadonlySet<string>
}

export interface ApiKeyService {
  create(tenantId: string, body: CreateApiKey, grantor: Grantor): Promise<ApiKeyWithSecret>
  /** Newest first, without the revoked ones. */
  list(tenantId: string, query: ListApiKeysQuery): Promise<PageOf<ApiKey>>
  rotate(
    tenantId: string,
    id: string,
    body: RotateApiKey,
    grantor: Grantor,
  ): Promise<ApiKeyWithSecret>
  revoke(tenantId: string, id: string, actor: string): Promise<void>
  /**
   * The tenant and the key that a secret opens.
   *
   * @param guard told before Postgres is asked about a secret that this node has not seen to be good
   *   (it may throw, to keep those who guess from making work), and of a secret that was wrong. It
   *   gets the tenant that the secret claims, where that tenant is one.
   * @param copy of the tenant that the secret names, where it was asked for already, and the secret
   *   was one that this node had seen to be good when it was.
   * @throws Problem api_key_invalid, the same for every reason: unknown, malformed, expired, revoked.
   */
  authenticate(
    secret: string | PresentedSecret,
    guard?: GuessGuard,
    copy?: Promise<TenantCopy | null>,
  ): Promise<AuthenticatedApiKey>
  /**
   * The key that a secret opens, when this node has seen that it does, and notes its use. Null says
   * nothing: `authenticate` then asks Postgres.
   *
   * @param copy as current as the arrival of the request.
   */
  recognise(copy: TenantCopy, secret: PresentedSecret): KnownApiKey | null
}

export interface AuthenticatedApiKey {
  copy: TenantCopy
  apiKey: KnownApiKey
  /** The key was good where the tenant's log stood at this number, and may have ended since. */
  provenAtSeq: number
}

/** Keeps those who guess secrets from making work; each may throw. */
export interface GuessGuard {
  beforeLookUp(tenantId: string | undefined): void
  afterFailure(tenantId: string | undefined): void
}

const NO_GUARD: GuessGuard = { beforeLookUp: () => {}, afterFailure: () => {} }
/** A Postgres that stands still shows here too; the caller gets 503 within a second. */
const LOOK_UP_TIMEOUT_MS = 900

export interface ApiKeyDeps {
  store: ApiKeyStore
  freshness: Pick<Freshness, 'current' | 'peek'>
  /** Told of each use, for last_used_at. */
  noteUse(tenantId: string, apiKeyId: string): void
  cursors: Cursors
  clock: Clock
}

export function createApiKeyService(deps: ApiKeyDeps): ApiKeyService {
  const { store, freshness, noteUse, cursors, clock } = deps

  /** Only keys that are good now are remembered, so that each refusal does the same work. */
  const lookUp = async (
    copy: TenantCopy | null,
    { secretHash, hashText }: PresentedSecret,
  ): Promise<KnownApiKey> => {
    const version = copy?.apiKeysVersion
    const found = await within(
      LOOK_UP_TIMEOUT_MS,
      store.findSecret(copy?.tenantId ?? SERVICE_TENANT_ID, secretHash),
    )
    if (copy === null || found === null || found.revokedAt !== null) throw invalid()
    const { apiKeyId: id, expiresAt } = found
    const apiKey = { id, scopes: new Set(found.scopes), expiresAt }
    if (hasExpired(apiKey, clock.nowMs())) throw invalid()
    // A change that came while Postgres was asked has emptied the map: what was read may be old.
    if (copy.apiKeysVersion === version) copy.apiKeys.set(hashText, apiKey)
    return apiKey
  }

  const get = async (tenantId: string, id: string): Promise<StoredApiKey> => {
    const key = await store.find(tenantId, id)
    if (key === null) throw new Problem('api_key_not_found')
    return key
  }

  return {
    async create(tenantId, body, grantor) {
      const createdAt = new Date(clock.nowMs())
      const scopes = body.scopes ?? SCOPES.filter(scope => grantor.scopes.has(scope))
      refuseEscalation(scopes, grantor)
      const { secret, secretHash, prefix } = createSecret(tenantId, body.mode ?? 'live')
      const expiresAt = expiryOf(body, createdAt)
      const key = { id: newId('key'), name: body.name, scopes, createdAt, expiresAt }
      const event = {
        type: 'api_key.created' as const,
        actor: grantor.actor,
        data: { api_key_id: key.id, scopes },
      }
      await store.insert(tenantId, { ...key, secretHash, prefix }, event)
      const secrets = [{ prefix, expiresAt: null }]
      return { ...toApiKey({ ...key, lastUsedAt: null, revokedAt: null, secrets }), secret }
    },

    async list(tenantId, { cursor, limit = DEFAULT_PAGE_LIMIT }) {
      const scope = { tenantId, list: 'api_keys', filters: {} }
      const beforeId = cursor === undefined ? null : cursors.open(scope, cursor)
      const rows = await store.list(tenantId, beforeId, limit + 1)
      return toPage(rows, limit, toApiKey, lastId => cursors.seal(scope, lastId))
    },

    async rotate(tenantId, id, { overlap_seconds = 0 }, grantor) {
      const key = await get(tenantId, id)
      if (key.revokedAt !== null) throw new Problem('api_key_revoked')
      if (key.expiresAt !== null && key.expiresAt.getTime() <= clock.nowMs())
        throw new Problem('api_key_expired')
      refuseEscalation(key.scopes, grantor)
      const mode = key.secrets[0]?.prefix.startsWith('sk_test_') ? 'test' : 'live'
      const { secret, secretHash, prefix } = createSecret(tenantId, mode)
      const createdAt = new Date(clock.nowMs())
      const othersExpireAt =
        overlap_seconds === 0 ? null : new Date(createdAt.getTime() + overlap_seconds * 1000)
      const event = {
        type: 'api_key.rotated' as const,
        actor: grantor.actor,
        data: { api_key_id: id, overlap_seconds },
      }
      await store.rotate(tenantId, id, { secretHash, prefix, createdAt }, othersExpireAt, event)
      return { ...toApiKey({ ...key, secrets: [{ prefix, expiresAt: null }] }), secret }
    },

    async revoke(tenantId, id, actor) {
      await get(tenantId, id)
      const event = { type: 'api_key.revoked' as const, actor, data: { api_key_id: id } }
      await store.revoke(tenantId, id, new Date(clock.nowMs()), event)
    },

    recognise(copy, { hashText }) {
      const apiKey = copy.apiKeys.get(hashText)
      if (apiKey === undefined || hasExpired(apiKey, clock.nowMs())) return null
      noteUse(copy.tenantId, apiKey.id)
      return apiKey
    },

    async authenticate(secret, guard = NO_GUARD, asked = undefined) {
      const presented = typeof secret === 'string' ? readSecret(secret) : secret
      const { tenantId, hashText } = presented
      const held = tenantId === null ? null : freshness.peek(tenantId)
      if (asked === undefined && held?.apiKeys.has(hashText) !== true)
        guard.beforeLookUp(held?.tenantId)
      const copy = tenantId === null ? null : await (asked ?? freshness.current(tenantId))
      const provenAtSeq = copy?.seq ?? 0
      let apiKey = copy?.apiKeys.get(hashText)
      if (apiKey === undefined || hasExpired(apiKey, clock.nowMs()))
        apiKey = await lookUp(copy, presented).catch(error => {
          if (error instanceof Problem && error.code === 'api_key_invalid')
            guard.afterFailure(copy?.tenantId)
          throw error
        })
      if (copy === null) throw invalid()
      noteUse(copy.tenantId, apiKey.id)
      return { copy, apiKey, provenAtSeq }
    },
  }
}

const invalid = (): Problem => new Problem('api_key_invalid')

const hasExpired = ({ expiresAt }: KnownApiKey, nowMs: number): boolean =>
  expiresAt !== null && expiresAt.getTime() <= nowMs

/** Nobody hands on more than it holds. */
function refuseEscalation(scopes: readonly string[], grantor: Grantor): void {
  const missing = scopes.filter(scope => !grantor.scopes.has(scope))
  if (missing.length > 0)
    throw new Problem('scope_missing', {
      detail: `This key cannot grant scopes that it lacks: ${missing.join(', ')}.`,
    })
}

function expiryOf({ expires_at, expires_in }: CreateApiKey, now: Date): Date | null {
  if (expires_at !== undefined && expires_at !== null && expires_in !== undefined)
    throw invalidField('expires_in', 'give expires_at or expires_in, not both')
  if (expires_in !== undefined) return new Date(now.getTime() + expires_in * 1000)
  if (expires_at === undefined || expires_at === null) return null
  const expiresAt = new Date(expires_at)
  if (!(expiresAt > now)) throw invalidField('expires_at', 'must be in the future')
  return expiresAt
}

const invalidField = (field: string, message: string): Problem =>
  new Problem('request_invalid', { errors: [{ field, message }] })

const toApiKey = (key: StoredApiKey): ApiKey => ({
  object: 'api_key',
  id: key.id,
  name: key.name,
  prefix: key.secrets[0]?.prefix ?? '',
  scopes: SCOPES.filter(scope => key.scopes.includes(scope)),
  created_at: key.createdAt.toISOString(),
  expires_at: key.expiresAt?.toISOString() ?? null,
  last_used_at: key.lastUsedAt?.toISOString() ?? null,
  revoked_at: key.revokedAt?.toISOString() ?? null,
})
