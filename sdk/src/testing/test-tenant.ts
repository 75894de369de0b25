import type { SesameOptions } from '../sesame.ts'
import type { AccessTokenClaims, TokenVerdict } from '../verifier/access-token.ts'
import type { VerifierOptions } from '../verifier/verifier.ts'
import { type AccessTokenOptions, claimsOf, signAccessToken } from './access-token.ts'
import { decodeText } from './encoding.ts'
import { createFeedStreams } from './feed-streams.ts'
import { createHostileTokens, type HostileToken } from './hostile-tokens.ts'
import { newId, newSecretKey } from './ids.ts'
import { createInMemoryFetch } from './in-memory-service.ts'
import { createInMemorySessions, type NewSession } from './in-memory-sessions.ts'
import { createRevocationFeed, type FeedEntry, type RevokeAllFilters } from './revocation-feed.ts'
import { sessionRoutes } from './session-routes.ts'
import { createSigningKey } from './signing-key.ts'
import { createTokenJudge } from './token-judge.ts'

export interface TestTenantOptions {
  /** The `aud` of its tokens. Default: the tenant id. */
  audience?: string
  /** Where the service pretends to be. Default: `https://sesame.test`. */
  baseUrl?: string
}

/** A tenant of Sesame in memory: it signs tokens, revokes sessions and answers a verifier. */
export interface TestTenant {
  readonly tenantId: string
  readonly issuer: string
  readonly audience: string
  readonly baseUrl: string
  readonly secretKey: string
  /** Answers as the service would, with no network and no port. */
  readonly fetch: typeof globalThis.fetch
  /** For `createVerifier`: a verifier that follows this tenant's feed. Add to it what you like. */
  readonly verifierOptions: VerifierOptions & { revocations: { secretKey: string } }
  /** For `new Sesame`: a client whose `sessions` are those of this tenant. */
  readonly clientOptions: Pick<SesameOptions, 'baseUrl' | 'fetch'> & { secretKey: string }
  /** A line for each request that was made, such as `GET /v1/revocations/stream`. */
  readonly requests: readonly string[]

  /** A good token. */
  mintAccessToken(options?: AccessTokenOptions): Promise<string>
  /** A token that was good until a second ago. */
  mintExpiredToken(options?: AccessTokenOptions): Promise<string>
  /** A token whose session is revoked; every verifier that listens knows it. */
  mintRevokedToken(options?: AccessTokenOptions): Promise<string>
  /** A token that says what a good one says, signed by somebody else. */
  mintForgedToken(options?: AccessTokenOptions): Promise<string>
  /** Every way in which we know a token can lie; each must be refused. */
  hostileTokens(options?: AccessTokenOptions): Promise<HostileToken[]>

  /**
   * Revokes one session. Resolves when every verifier that holds the feed open has been told.
   *
   * @param session its id, a token of it, or what `verify` answered.
   */
  revoke(session: string | { sessionId: string }): Promise<void>
  /** Revokes all sessions that match; without a filter, all there are. */
  revokeAll(filters?: RevokeAllFilters): Promise<void>
  /** A new key signs from now on; tokens of the old one stay good. */
  rotateSigningKey(): Promise<void>
  /** The emergency: a new key signs, and tokens of all older ones are refused. */
  revokeSigningKeys(): Promise<void>
  /** Suspends the tenant: every token is refused, and the key may do nothing. */
  suspend(): Promise<void>
  /** Ends a suspension. */
  resume(): void

  /** The feed breaks off and cannot be read until `restoreFeed()`; the rest answers. */
  cutFeed(): void
  restoreFeed(): void
  /** Nothing answers until `comeBack()`. */
  goDown(): void
  comeBack(): void
}

/**
 * Makes a tenant to test an app with: keys, tokens and a feed in memory.
 *
 * @example
 * const sesame = await createTestTenant()
 * const verify = createVerifier(sesame.verifierOptions)
 * const token = await sesame.mintAccessToken({ userId: 'ada', role: 'admin' })
 */
export async function createTestTenant(options: TestTenantOptions = {}): Promise<TestTenant> {
  const tenantId = newId('tnt')
  const baseUrl = (options.baseUrl ?? 'https://sesame.test').replace(/\/+$/, '')
  const issuer = `${baseUrl}/t/${tenantId}`
  const audience = options.audience ?? tenantId
  const secretKey = await newSecretKey(tenantId)
  const feed = createRevocationFeed()
  const streams = createFeedStreams(feed)
  const outage = { service: false, feed: false }
  const requests: string[] = []
  let signingKey = await createSigningKey()
  let keys = [signingKey]
  let generation = 0
  let isSuspended = false

  const issuerNow = () => ({ issuer, audience, tenantId, generation })
  const jwks = () => keys.map(({ publicJwk }) => publicJwk)
  const judge = createTokenJudge({ issuer, audience, keys: jwks })
  const verify = async (token: string): Promise<TokenVerdict> => {
    const verdict = await judge(token)
    if (!verdict.valid) return verdict
    const claims = sessions.today(verdict.claims)
    return isSuspended || feed.hasRevoked(claims)
      ? { valid: false, reason: 'session_revoked' }
      : { valid: true, claims }
  }
  const sessions = createInMemorySessions(feed.hasRevoked)
  const issue = async (given: { sessionId?: string; session?: NewSession }) => {
    const options = given.sessionId === undefined ? {} : sessions.tokenOf(given.sessionId)
    const claims = claimsOf(issuerNow(), { ...options, ...optionsOf(given.session) })
    return {
      accessToken: await signAccessToken(claims, signingKey),
      session: sessions.note(claims, given.session),
    }
  }
  const fetch = createInMemoryFetch(
    {
      tenantId,
      baseUrl,
      secretKey,
      feed,
      streams,
      verify,
      jwks,
      routes: sessionRoutes({
        sessions,
        issue,
        async update(sessionId, changes) {
          sessions.update(sessionId, changes, generation)
          if (changes.role === undefined && changes.org_id === undefined) return
          const forget_after = sessions.tokensExpireAt(sessionId).toISOString()
          await publish({ type: 'session_changed', session_id: sessionId, forget_after })
        },
        revoke: sessionId => tenant.revoke(sessionId),
        revokeAll: filters => tenant.revokeAll(filters),
      }),
      isSuspended: () => isSuspended,
    },
    outage,
    requests,
  )
  const publish = (entry: Partial<FeedEntry> & Pick<FeedEntry, 'type'>): Promise<void> => {
    const appended = feed.append(entry)
    return outage.service || outage.feed ? Promise.resolve() : streams.deliver(appended)
  }
  const mint = (given: AccessTokenOptions, by = signingKey): Promise<string> => {
    const claims = claimsOf(issuerNow(), given)
    sessions.note(claims)
    return signAccessToken(claims, by)
  }

  const tenant: TestTenant = {
    tenantId,
    issuer,
    audience,
    baseUrl,
    secretKey,
    fetch,
    verifierOptions: { issuer, audience, revocations: { secretKey }, fetch },
    clientOptions: { secretKey, baseUrl, fetch },
    requests,
    mintAccessToken: (given = {}) => mint(given),
    mintExpiredToken(given = {}) {
      const lifeSeconds = given.expiresInSeconds ?? 900
      const issuedAt = new Date(Date.now() - (lifeSeconds + 1) * 1000)
      return mint({ ...given, issuedAt, expiresInSeconds: lifeSeconds })
    },
    async mintRevokedToken(given = {}) {
      const token = await mint(given)
      await tenant.revoke(token)
      return token
    },
    mintForgedToken: async (given = {}) => {
      const { privateKey } = await createSigningKey()
      return mint(given, { ...signingKey, privateKey })
    },
    async hostileTokens(given = {}) {
      return createHostileTokens({ ...signingKey, token: await mint(given) })
    },
    revoke: session => publish({ type: 'session_revoked', session_id: sessionIdOf(session) }),
    revokeAll({ userId, orgId, appId, except } = {}) {
      generation += 1
      return publish({
        type: 'sessions_revoked',
        all: userId === undefined && orgId === undefined && appId === undefined,
        user_id: userId ?? null,
        org_id: orgId ?? null,
        app_id: appId ?? null,
        except_session_id: except ?? null,
        generation,
        tokens_issued_before: new Date().toISOString(),
      })
    },
    async rotateSigningKey() {
      signingKey = await createSigningKey()
      keys = [signingKey, ...keys]
      await publish({ type: 'signing_keys_changed' })
    },
    async revokeSigningKeys() {
      signingKey = await createSigningKey()
      keys = [signingKey]
      await publish({ type: 'signing_keys_changed' })
    },
    async suspend() {
      isSuspended = true
      await publish({ type: 'tenant_changed' })
      streams.end('closed')
    },
    resume() {
      isSuspended = false
    },
    cutFeed() {
      outage.feed = true
      streams.end('cut')
    },
    restoreFeed() {
      outage.feed = false
    },
    goDown() {
      outage.service = true
      streams.end('cut')
    },
    comeBack() {
      outage.service = false
    },
  }
  return tenant
}

/** What a token says of a session that an app created. */
function optionsOf(session: NewSession | undefined): AccessTokenOptions {
  if (session === undefined) return {}
  const { user_id: userId, org_id = null, app_id = null, role = null, amr = [] } = session
  return { userId, orgId: org_id, appId: app_id, role, amr }
}

function sessionIdOf(session: string | { sessionId: string }): string {
  if (typeof session !== 'string') return session.sessionId
  return session.includes('.') ? readClaims(session).sid : session
}

const readClaims = (token: string): AccessTokenClaims =>
  JSON.parse(decodeText(token.split('.')[1] ?? ''))
