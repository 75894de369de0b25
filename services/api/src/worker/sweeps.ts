import { BY_END, COVERS } from '../sessions/sessions.sql.ts'
import { SERVICE_TENANT_ID } from '../shared/ids.ts'
import { DEFAULT_SETTINGS } from '../tenants/tenants.schema.ts'

/** One kind of row that is due, and what becomes of it. */
export interface Sweep {
  name: string
  everyMs: number
  /** Whose rows it looks at, as SQL with the columns of `tenants`. */
  tenants: string
  table: string
  /** What names a row within its tenant. */
  key: string
  /** SQL about `tenant` and about the row, which is called `session` or, elsewhere, `item`. */
  isDue: string
  action: string
}

const LIVING_TENANTS = '(SELECT * FROM tenants WHERE deleted_at IS NULL)'
// Operators' own requests belong to the service's tenant, which is in no list of tenants.
const LIVING_TENANTS_AND_SERVICE = `(
  SELECT tenant_id FROM tenants WHERE deleted_at IS NULL
  UNION ALL SELECT '${SERVICE_TENANT_ID}')`

const DELETE = 'DELETE FROM'
const MINUTE_MS = 60_000

const days = (name: 'session_retention_days' | 'event_retention_days'): string =>
  `make_interval(days =>
    coalesce((tenant.settings ->> '${name}')::int, ${DEFAULT_SETTINGS[name]}))`
const isPast = (column: string, name: Parameters<typeof days>[0]): string =>
  `${column} < now() - ${days(name)}`

// Two hours more than any token lives: a node may be behind, and its clock may be wrong.
const TOKENS_ARE_DEAD = `session.token_expires_at < now() - interval '2 hours'`

/** In the order of haste. Each is supported by an index that begins with the tenant. */
export const SWEEPS: readonly Sweep[] = [
  {
    // Only the row follows: the status was right before.
    name: 'expire_sessions',
    everyMs: 2_000,
    tenants: LIVING_TENANTS,
    table: 'sessions',
    key: 'id',
    isDue: `session.state = 'active' AND session.ends_at <= now() AND ${BY_END}
      AND NOT EXISTS (SELECT FROM tenant_changes AS bulk WHERE ${COVERS})`,
    action: `UPDATE sessions SET state = 'expired'`,
  },
  {
    // A row that still says "active" is never deleted, also where a bulk revoke has ended it: its
    // row follows first.
    name: 'delete_revoked_sessions',
    everyMs: MINUTE_MS,
    tenants: LIVING_TENANTS,
    table: 'sessions',
    key: 'id',
    isDue: `session.state = 'revoked'
      AND ${isPast('session.revoked_at', 'session_retention_days')} AND ${TOKENS_ARE_DEAD}`,
    action: `${DELETE} sessions`,
  },
  {
    name: 'delete_expired_sessions',
    everyMs: MINUTE_MS,
    tenants: LIVING_TENANTS,
    table: 'sessions',
    key: 'id',
    isDue: `session.state = 'expired'
      AND ${isPast('session.ends_at', 'session_retention_days')} AND ${TOKENS_ARE_DEAD}`,
    action: `${DELETE} sessions`,
  },
  {
    name: 'delete_erased_sessions',
    everyMs: MINUTE_MS,
    tenants: LIVING_TENANTS,
    table: 'sessions',
    key: 'id',
    isDue: `session.erased_at IS NOT NULL AND ${TOKENS_ARE_DEAD}`,
    action: `${DELETE} sessions`,
  },
  {
    name: 'delete_events',
    everyMs: MINUTE_MS,
    tenants: LIVING_TENANTS,
    table: 'events',
    key: 'id',
    isDue: isPast('item.created_at', 'event_retention_days'),
    action: `${DELETE} events`,
  },
  {
    name: 'forget_changes',
    everyMs: MINUTE_MS,
    tenants: LIVING_TENANTS,
    table: 'tenant_changes',
    key: 'seq',
    isDue: `item.forget_after < now() - interval '2 hours'
      AND (item.kind <> 'bulk' OR item.applied_at IS NOT NULL)`,
    action: `${DELETE} tenant_changes`,
  },
  {
    name: 'forget_idempotency',
    everyMs: MINUTE_MS,
    tenants: LIVING_TENANTS_AND_SERVICE,
    table: 'idempotency_keys',
    key: 'idempotency_key',
    isDue: 'item.expires_at < now()',
    action: `${DELETE} idempotency_keys`,
  },
  {
    // No token of them lives for more than a day after; the rest of the week is for people who look.
    name: 'delete_signing_keys',
    everyMs: MINUTE_MS,
    tenants: LIVING_TENANTS,
    table: 'signing_keys',
    key: 'kid',
    isDue: `(item.published_until < now() - interval '7 days'
      OR item.revoked_at < now() - interval '7 days')`,
    action: `${DELETE} signing_keys`,
  },
]

const DELETED_TENANTS = `(
  SELECT * FROM tenants WHERE deleted_at IS NOT NULL AND purged_at IS NULL)`

/**
 * Requests that were under way when the tenant was deleted are over by then, and every node that has
 * the tenant in memory has read in the change log that it is gone.
 */
export const STRAGGLERS_ARE_IN = `tenant.deleted_at < now() - interval '10 minutes'`

const purge = (table: string, key: string, isDue = 'true'): Sweep => ({
  name: `purge_${table}`,
  everyMs: 5_000,
  tenants: DELETED_TENANTS,
  table,
  key,
  isDue,
  action: `${DELETE} ${table}`,
})

/** Everything of a deleted tenant but its head and its own row: what refers to others comes first. */
export const PURGES: readonly Sweep[] = [
  purge('erasures', 'id'),
  purge('sessions', 'id'),
  purge('events', 'id'),
  purge('idempotency_keys', 'idempotency_key'),
  purge('lifetime_walks', 'tenant_id'),
  purge('api_key_secrets', 'secret_hash'),
  purge('api_keys', 'id'),
  purge('signing_keys', 'kid'),
  purge('tenant_changes', 'seq', STRAGGLERS_ARE_IN),
]
