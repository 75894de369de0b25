import type { TenantCopy } from '../freshness/tenant-copy.ts'
import type { RefreshTokens } from '../refresh/refresh-token.ts'
import { type AccessTokenClaims, signAccessToken } from '../tokens/access-token.ts'
import { isMfa } from './mfa.ts'
import { toSession } from './session-view.ts'
import type { SessionTokens } from './sessions.schema.ts'
import type { StoredSession } from './sessions.store.ts'

export interface TokenFacts {
  session: StoredSession
  /** The generation that the session was created in. */
  generation: number
  issuedAt: Date
  /** Of the access token. */
  expiresAt: Date
  refreshGeneration: number
  familySecret: string
}

/**
 * The tokens of a session at one point of its line. The same facts give the same tokens, letter for
 * letter: Ed25519 is deterministic, and so is everything that goes in. That is how a refresh that is
 * repeated gets the same answer without any token being stored.
 */
export type IssueTokens = (tenant: TenantCopy, facts: TokenFacts) => SessionTokens

export interface IssueTokensDeps {
  refreshTokens: Pick<RefreshTokens, 'seal'>
  issuerOf(tenantId: string): string
}

export function createIssueTokens({ refreshTokens, issuerOf }: IssueTokensDeps): IssueTokens {
  return (tenant, facts) => {
    const { session, refreshGeneration, familySecret } = facts
    const { tenantId } = tenant
    const claims = claimsOf(facts, {
      issuer: issuerOf(tenantId),
      audience: tenant.settings.audience ?? tenantId,
    })
    const accessToken = signAccessToken(tenant.keyring, claims, facts.issuedAt.getTime())
    if (accessToken === null) throw new Error('the tenant has no key that signs')
    return {
      session: toSession(session),
      access_token: accessToken,
      token_type: 'Bearer',
      expires_in: claims.exp - claims.iat,
      refresh_token: refreshTokens.seal({
        tenantId,
        sessionId: session.id,
        generation: refreshGeneration,
        familySecret,
      }),
    }
  }
}

const secondsOf = (instant: Date): number => Math.floor(instant.getTime() / 1000)

function claimsOf(
  { session, generation, issuedAt, expiresAt, refreshGeneration }: TokenFacts,
  { issuer, audience }: { issuer: string; audience: string },
): AccessTokenClaims {
  const iat = secondsOf(issuedAt)
  return {
    iss: issuer,
    aud: audience,
    sub: session.userId,
    sid: session.id,
    jti: `tok_${session.id.slice('ses_'.length)}_${refreshGeneration}`,
    iat,
    // Whole seconds, as most libraries want them, and at least one.
    exp: Math.max(secondsOf(expiresAt), iat + 1),
    auth_time: secondsOf(session.authTime),
    tenant_id: session.tenantId,
    org_id: session.orgId,
    role: session.role,
    amr: session.amr,
    mfa_verified: isMfa(session.amr),
    client_id: session.appId,
    gen: generation,
  }
}
