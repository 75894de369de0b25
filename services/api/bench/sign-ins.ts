import { createRefreshTokens } from '../src/refresh/refresh-token.ts'
import type { SessionTokens } from '../src/sessions/sessions.schema.ts'
import { createMasterKey } from '../src/shared/crypto.ts'
import { newId } from '../src/shared/ids.ts'
import { createKeyring, type Keyring, type StoredSigningKey } from '../src/signing-keys/keyring.ts'
import { type AccessTokenClaims, signAccessToken } from '../src/tokens/access-token.ts'
import type { Call } from './load.ts'
import type { World } from './world.ts'

export const USER_AGENT =
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36'

/** What the load holds of a session. */
export interface SignIn {
  sessionId: string
  accessToken: string
  refreshToken: string
}

export const signInBody = (n: number) => ({
  user_id: `usr_${n}`,
  amr: ['pwd', 'otp'],
  ip_address: '8.8.8.8',
  user_agent: USER_AGENT,
})

export const createCall = ({ headers }: Pick<World, 'headers'>, n: number): Call => ({
  method: 'POST',
  path: '/v1/sessions',
  headers,
  body: JSON.stringify(signInBody(n)),
  expects: `"user_id":"usr_${n}"`,
})

/**
 * Many sessions: one that the API makes, and copies of its row under other ids, with the tokens that
 * the API would have given. To sign ten thousand users in over HTTP would take longer than to measure.
 */
export async function signIn(world: World, sessions: number, firstUser = 0): Promise<SignIn[]> {
  const { pool, tenantId, masterKey } = world
  const first = await signInOnce(world, 0)
  const refreshTokens = createRefreshTokens(createMasterKey(masterKey))
  const family = refreshTokens.open(first.refresh_token)
  if (family === null) throw new Error('the refresh token is none of ours')
  const ids = Array.from({ length: sessions }, () => newId('ses'))
  const userIds = ids.map((_, n) => `usr_${firstUser + n}`)
  await pool.query(COPY_SESSION, [tenantId, first.session.id, ids, userIds])
  const keyring = await readKeyring(world)
  const claims = claimsOf(first.access_token)
  return ids.map((sessionId, n) => ({
    sessionId,
    accessToken: sign(keyring, {
      ...claims,
      sub: userIds[n] ?? '',
      sid: sessionId,
      jti: `tok_${sessionId}`,
    }),
    refreshToken: refreshTokens.seal({ ...family, sessionId }),
  }))
}

const COPY_SESSION = `
  INSERT INTO sessions
  SELECT (jsonb_populate_record(
    session, jsonb_build_object('id', copy.id, 'user_id', copy.user_id))).*
  FROM sessions AS session, unnest($3::text[], $4::text[]) AS copy (id, user_id)
  WHERE session.tenant_id = $1 AND session.id = $2`

/** One session, as the API answers. */
export async function signInOnce(world: World, n: number): Promise<SessionTokens> {
  return (await world.call('POST', '/v1/sessions', signInBody(n))) as SessionTokens
}

/** The tenant's keys, so that more tokens can be made than anybody would fetch. */
export async function readKeyring({ pool, tenantId, masterKey }: World): Promise<Keyring> {
  const { rows } = await pool.query<StoredSigningKey>(
    `SELECT tenant_id AS "tenantId", kid, public_key AS "publicKey",
       private_key_sealed AS "privateKeySealed", created_at AS "createdAt",
       usable_from AS "usableFrom", signs_from AS "signsFrom",
       published_until AS "publishedUntil", revoked_at AS "revokedAt"
     FROM signing_keys WHERE tenant_id = $1`,
    [tenantId],
  )
  return createKeyring(rows, createMasterKey(masterKey))
}

export const claimsOf = (token: string): AccessTokenClaims =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())

/** Tokens of the same sessions that differ in their `jti`, each good. */
export function mintTokens(keyring: Keyring, signIns: SignIn[], count: number): string[] {
  const claims = signIns.map(({ accessToken }) => claimsOf(accessToken))
  return Array.from({ length: count }, (_, n) => {
    const base = claims[n % claims.length]
    if (base === undefined) throw new Error('there are no sessions')
    return sign(keyring, { ...base, jti: `${base.jti}_${n}` })
  })
}

function sign(keyring: Keyring, claims: AccessTokenClaims): string {
  const token = signAccessToken(keyring, claims, Date.now())
  if (token === null) throw new Error('the tenant has no key that signs')
  return token
}
