import type { AccessTokenClaims } from '../verifier/access-token.ts'

/** Which sessions a bulk revoke ends: those that match all that is given. */
export interface RevokeAllFilters {
  userId?: string
  orgId?: string
  appId?: string
  /** A session that is spared. */
  except?: string
}

/** One line of the feed, as it is on the wire. */
export interface FeedEntry {
  seq: number
  type:
    | 'session_revoked'
    | 'sessions_revoked'
    | 'session_changed'
    | 'signing_keys_changed'
    | 'tenant_changed'
  session_id: string | null
  all: boolean
  user_id: string | null
  org_id: string | null
  app_id: string | null
  except_session_id: string | null
  generation: number | null
  tokens_issued_before: string | null
  revoked_at: string
  forget_after: string
}

/** The longest life of a token: no entry is needed for longer. */
const LONGEST_TOKEN_MS = 24 * 60 * 60 * 1000

/** What was revoked, in order. */
export interface RevocationFeed {
  readonly entries: readonly FeedEntry[]
  readonly head: number
  append(entry: Partial<FeedEntry> & Pick<FeedEntry, 'type'>): FeedEntry
  hasRevoked(claims: AccessTokenClaims): boolean
}

export function createRevocationFeed(): RevocationFeed {
  const entries: FeedEntry[] = []
  return {
    entries,
    get head() {
      return entries.at(-1)?.seq ?? 0
    },
    append(given) {
      const now = Date.now()
      const entry: FeedEntry = {
        ...EMPTY_ENTRY,
        seq: entries.length + 1,
        revoked_at: new Date(now).toISOString(),
        forget_after: new Date(now + LONGEST_TOKEN_MS).toISOString(),
        ...given,
      }
      entries.push(entry)
      return entry
    },
    hasRevoked: claims => entries.some(entry => concerns(entry, claims)),
  }
}

const EMPTY_ENTRY = {
  session_id: null,
  all: false,
  user_id: null,
  org_id: null,
  app_id: null,
  except_session_id: null,
  generation: null,
  tokens_issued_before: null,
}

function concerns(entry: FeedEntry, claims: AccessTokenClaims): boolean {
  if (entry.type === 'session_revoked') return entry.session_id === claims.sid
  if (entry.type !== 'sessions_revoked' || entry.except_session_id === claims.sid) return false
  return (
    claims.gen < (entry.generation ?? 0) &&
    (entry.user_id ?? claims.sub) === claims.sub &&
    (entry.org_id ?? claims.org_id) === claims.org_id &&
    (entry.app_id ?? claims.client_id) === claims.client_id
  )
}
