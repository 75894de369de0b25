import { expect } from 'vitest'
import type { GatedApp } from './gated-app.ts'
import { type Answer, TEST_OPERATOR_KEY } from './test-app.ts'

/** A tenant with two keys, and a session that hangs on one of them and on all else. */
export interface World {
  tenantId: string
  /** Revokes, and is never revoked itself. */
  adminKey: string
  key: { id: string; secret: string }
  session: { id: string; accessToken: string; refreshToken: string }
}

export async function createWorld({ call }: GatedApp): Promise<World> {
  const made = await call(TEST_OPERATOR_KEY, 'POST', '/v1/tenants', {
    body: { name: 'World', settings: { rate_limit_per_second: 1_000_000 } },
  })
  const adminKey = made.body.api_key.secret
  const { body: key } = await call(adminKey, 'POST', '/v1/api-keys', { body: { name: 'k' } })
  const created = await call(adminKey, 'POST', '/v1/sessions', { body: { user_id: 'u' } })
  return {
    tenantId: made.body.tenant.id,
    adminKey,
    key: { id: key.id, secret: key.secret },
    session: toSession(created),
  }
}

export const verify = ({ call }: GatedApp, key: string, token: string): Promise<Answer> =>
  call(key, 'POST', '/v1/sessions/verify', { body: { token } })
export const refresh = ({ call }: GatedApp, key: string, refreshToken: string): Promise<Answer> =>
  call(key, 'POST', '/v1/sessions/refresh', { body: { refresh_token: refreshToken } })
export const create = ({ call }: GatedApp, key: string): Promise<Answer> =>
  call(key, 'POST', '/v1/sessions', { body: { user_id: 'u' } })

export const kidOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid

/** Everything that can end what a session and its caller hang on, and what is over then. */
export interface Revoke {
  name: string
  run(at: GatedApp, world: World): Promise<Answer>
  /** Whether the session itself is over: also with another key and a newer token. */
  endsSession: boolean
  /** Whether a token that some key of the tenant signed is over, whatever its session is. */
  endsTokens: boolean
  /** Whether `world.key` is over. */
  endsKey: boolean
}

const ENDS = { endsSession: false, endsTokens: false, endsKey: false }

export const REVOKES: readonly Revoke[] = [
  {
    ...ENDS,
    name: 'the session',
    endsSession: true,
    run: ({ call }, { adminKey, session }) =>
      call(adminKey, 'DELETE', `/v1/sessions/${session.id}`),
  },
  {
    ...ENDS,
    name: "the user's sessions in bulk",
    endsSession: true,
    run: ({ call }, { adminKey }) => call(adminKey, 'DELETE', '/v1/sessions?user_id=u'),
  },
  {
    ...ENDS,
    name: 'the signing key',
    endsTokens: true,
    run: ({ call }, { adminKey, session }) =>
      call(adminKey, 'DELETE', `/v1/signing-keys/${kidOf(session.accessToken)}`),
  },
  {
    ...ENDS,
    name: 'the API key',
    endsKey: true,
    run: ({ call }, { adminKey, key }) => call(adminKey, 'DELETE', `/v1/api-keys/${key.id}`),
  },
  {
    ...ENDS,
    name: "the API key's secret",
    endsKey: true,
    run: ({ call }, { adminKey, key }) =>
      call(adminKey, 'POST', `/v1/api-keys/${key.id}/rotate`, { body: {} }),
  },
  {
    name: 'the tenant, suspended',
    endsSession: true,
    endsTokens: true,
    endsKey: true,
    run: ({ call }, { tenantId }) =>
      call(TEST_OPERATOR_KEY, 'PATCH', `/v1/tenants/${tenantId}`, {
        body: { status: 'suspended' },
      }),
  },
  {
    name: 'the tenant, deleted',
    endsSession: true,
    endsTokens: true,
    endsKey: true,
    run: ({ call }, { tenantId }) => call(TEST_OPERATOR_KEY, 'DELETE', `/v1/tenants/${tenantId}`),
  },
]

/** Whether an answer to a verify or a refresh lets anybody in. */
export const isAccepted = ({ status, body }: Answer): boolean =>
  status < 300 && body?.valid !== false

/**
 * After the revoke has answered: nothing that it ended is accepted, by any node, whichever key asks;
 * and what it did not end is.
 *
 * @param fruit the answer to what ran meanwhile, where that gave tokens.
 */
export async function expectEnded(
  apps: readonly GatedApp[],
  revoke: Revoke,
  world: World,
  fruit: Answer | null,
): Promise<void> {
  const { endsSession, endsTokens, endsKey } = revoke
  const { adminKey, key, session } = world
  const fresh = fruit?.body?.access_token === undefined ? null : toSession(fruit)
  const isSame = fresh?.id === session.id
  const isTokenGood = !endsSession && !endsTokens
  for (const app of apps) {
    const accepts = async (secret: string, token: string) =>
      isAccepted(await verify(app, secret, token))
    expect(await accepts(adminKey, session.accessToken)).toBe(isTokenGood)
    expect(await accepts(key.secret, session.accessToken)).toBe(isTokenGood && !endsKey)
    if (fresh === null) continue
    const isSignedByEnded = endsTokens && kidOf(fresh.accessToken) === kidOf(session.accessToken)
    const isFreshOver = isSignedByEnded || (isSame && endsSession)
    if (isFreshOver || isSame) expect(await accepts(adminKey, fresh.accessToken)).toBe(!isFreshOver)
    if (endsKey) expect(await accepts(key.secret, fresh.accessToken)).toBe(false)
  }
  const refreshTokens = [session.refreshToken, ...(isSame ? [fresh?.refreshToken ?? ''] : [])]
  for (const app of apps)
    for (const token of refreshTokens) {
      if (endsSession) expect(isAccepted(await refresh(app, adminKey, token))).toBe(false)
      if (endsKey) expect(isAccepted(await refresh(app, key.secret, token))).toBe(false)
    }
}

const toSession = ({ body }: Answer): World['session'] => ({
  id: body.session.id,
  accessToken: body.access_token,
  refreshToken: body.refresh_token,
})
