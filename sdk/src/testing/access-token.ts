import type { AccessTokenClaims } from '../verifier/access-token.ts'
import { encodeSegment, signSegments } from './encoding.ts'
import { newId } from './ids.ts'
import { isMfa } from './mfa.ts'
import type { SigningKey } from './signing-key.ts'

/** What an access token says; what is left out is an ordinary session of `usr_1`. */
export interface AccessTokenOptions {
  /** Default: a new session. */
  sessionId?: string
  /** Default: `usr_1`. */
  userId?: string
  orgId?: string | null
  appId?: string | null
  role?: string | null
  /** How the user proved who they are (RFC 8176). Default: `['pwd']`. */
  amr?: string[]
  /** Default: whether `amr` holds two kinds of factor. */
  mfaVerified?: boolean
  /** When the user proved who they are. Default: when the token is issued. */
  authTime?: Date
  /** Default: now. */
  issuedAt?: Date
  /** Life of the token, in seconds. Default: 900. */
  expiresInSeconds?: number
}

/** Who issues: what the options of one token cannot change. */
export interface TokenIssuer {
  issuer: string
  audience: string
  tenantId: string
  generation: number
}

const DEFAULT_LIFE_SECONDS = 900

export function claimsOf(by: TokenIssuer, options: AccessTokenOptions): AccessTokenClaims {
  const { authTime, issuedAt = new Date(), amr = ['pwd'] } = options
  const iat = toSeconds(issuedAt)
  return {
    iss: by.issuer,
    aud: by.audience,
    sub: options.userId ?? 'usr_1',
    sid: options.sessionId ?? newId('ses'),
    jti: newId('tok'),
    iat,
    exp: iat + (options.expiresInSeconds ?? DEFAULT_LIFE_SECONDS),
    auth_time: authTime === undefined ? iat : toSeconds(authTime),
    tenant_id: by.tenantId,
    org_id: options.orgId ?? null,
    role: options.role ?? null,
    amr,
    mfa_verified: options.mfaVerified ?? isMfa(amr),
    client_id: options.appId ?? null,
    gen: by.generation,
  }
}

export function signAccessToken(
  claims: AccessTokenClaims,
  { privateKey, publicJwk }: SigningKey,
): Promise<string> {
  const header = encodeSegment({ alg: 'EdDSA', typ: 'at+jwt', kid: publicJwk.kid })
  return signSegments(`${header}.${encodeSegment(claims)}`, privateKey)
}

const toSeconds = (at: Date): number => Math.floor(at.getTime() / 1000)
