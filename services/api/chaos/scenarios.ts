import {
  type Calls,
  type Credential,
  kidOf,
  post,
  type Revoked,
  remove,
  type Session,
  type SessionBody,
} from './calls.ts'
import type { Random } from './random.ts'
import { credentialOf, deleteKey, type Place, secretSubject } from './tenants.ts'

export interface RoundTools {
  calls: Calls
  random: Random
  /** The tenant that all share. */
  shared: Place
  /** A tenant of one's own, for what strikes a whole tenant. */
  ownTenant(settings?: object): Promise<Place | null>
  /** A name that nobody else uses. */
  uniqueName(): string
  /**
   * Revokes, sometimes with a refresh in flight, and the moment that is acknowledged asks several
   * other nodes at once about these sessions.
   */
  revokeAndProbe(
    by: Credential | readonly Credential[],
    sessions: readonly Session[],
    revoke: () => Promise<Revoked>,
  ): Promise<Revoked>
  /** Asks every node about the session at this moment, and waits for none. */
  everywhere(by: Credential, session: Session): void
  /** Sessions that were just made, and seen to be good by some node. */
  signIn(by: Credential, count: number, body: SessionBody): Promise<Session[]>
  /** For the sweep at the end: what must then still be accepted. */
  keep(by: Credential, session: Session): void
}

export type Scenario = (tools: RoundTools) => Promise<unknown>

const sessionSubjects = (sessions: readonly Session[]) => sessions.map(({ id }) => `session:${id}`)

const single: Scenario = async ({
  calls,
  shared: { byKey },
  signIn,
  uniqueName,
  revokeAndProbe,
}) => {
  const sessions = await signIn(byKey, 1, { user_id: uniqueName() })
  for (const session of sessions)
    await revokeAndProbe(byKey, [session], () =>
      calls.revoke(sessionSubjects([session]), remove(byKey, `/v1/sessions/${session.id}`)),
    )
}

/** Bulk by one filter; a session of the same user that comes after the answer lives. */
const bulkBy =
  (field: 'user_id' | 'org_id' | 'app_id'): Scenario =>
  async ({ calls, random, shared: { byKey }, signIn, uniqueName, revokeAndProbe, keep }) => {
    const name = uniqueName()
    const body = { user_id: uniqueName(), [field]: name }
    const sessions = await signIn(byKey, random.between(2, 5), body)
    const { isAcknowledged } = await revokeAndProbe(byKey, sessions, () =>
      calls.revoke(sessionSubjects(sessions), remove(byKey, `/v1/sessions?${field}=${name}`)),
    )
    if (!isAcknowledged) return
    const [after] = await signIn(byKey, 1, body)
    if (after !== undefined) keep(byKey, after)
  }

/** Ends the user's sessions and takes the user out of them; who signs in again is a new one. */
const userErased: Scenario = async tools => {
  const { calls, shared, signIn, uniqueName, revokeAndProbe, keep } = tools
  const { byKey } = shared
  const body = { user_id: uniqueName() }
  const sessions = await signIn(byKey, 3, body)
  const path = `/v1/users/${body.user_id}/sessions?erase=true`
  const { isAcknowledged } = await revokeAndProbe(byKey, sessions, () =>
    calls.revoke(sessionSubjects(sessions), remove(byKey, path)),
  )
  if (!isAcknowledged) return
  const [after] = await signIn(byKey, 1, body)
  if (after !== undefined) keep(byKey, after)
}

const bulkExceptOne: Scenario = async tools => {
  const { calls, shared, signIn, uniqueName, revokeAndProbe, keep } = tools
  const { byKey } = shared
  const user = uniqueName()
  const [spared, ...ended] = await signIn(byKey, 4, { user_id: user })
  if (spared === undefined) return
  const path = `/v1/sessions?user_id=${user}&except=${spared.id}`
  await revokeAndProbe(byKey, ended, () =>
    calls.revoke(sessionSubjects(ended), remove(byKey, path)),
  )
  await calls.verify(byKey, spared)
  keep(byKey, spared)
}

/** Only where it belongs today counts: what moved in is ended with the rest. */
const movedIn: Scenario = async tools => {
  const { calls, shared, signIn, uniqueName, revokeAndProbe } = tools
  const { byKey } = shared
  const organisation = uniqueName()
  const body = { user_id: uniqueName(), org_id: uniqueName() }
  const [moved] = await signIn(byKey, 1, body)
  if (moved === undefined) return
  const path = `/v1/sessions/${moved.id}`
  const patched = await calls.plain({
    ...post(byKey, path, { org_id: organisation }),
    method: 'PATCH',
  })
  if (patched.status !== 200) return
  await revokeAndProbe(byKey, [moved], () =>
    calls.revoke(sessionSubjects([moved]), remove(byKey, `/v1/sessions?org_id=${organisation}`)),
  )
}

/** A sign-in beyond the limit ends the oldest session of its user: its answer is a revoke. */
const sessionLimit: Scenario = async tools => {
  const { calls, ownTenant, signIn, uniqueName, revokeAndProbe } = tools
  const place = await ownTenant({ max_sessions_per_user: 1 })
  if (place === null) return
  const { byKey } = place
  const body = { user_id: uniqueName() }
  const [oldest] = await signIn(byKey, 1, body)
  if (oldest === undefined) return
  await revokeAndProbe(byKey, [oldest], () =>
    calls.revoke(sessionSubjects([oldest]), post(byKey, '/v1/sessions', body)),
  )
}

const wholeTenant: Scenario = async tools => {
  const { calls, ownTenant, signIn, uniqueName, revokeAndProbe } = tools
  const place = await ownTenant()
  if (place === null) return
  const { byKey } = place
  const sessions = await signIn(byKey, 3, { user_id: uniqueName() })
  const { isAcknowledged } = await revokeAndProbe(byKey, sessions, () =>
    calls.revoke(sessionSubjects(sessions), remove(byKey, '/v1/sessions')),
  )
  if (isAcknowledged) await signIn(byKey, 1, { user_id: uniqueName() })
}

/** Ends the tokens, not the sessions: a refresh afterwards gives a good token. */
const signingKey: Scenario = async tools => {
  const { calls, ownTenant, signIn, uniqueName, revokeAndProbe } = tools
  const place = await ownTenant()
  if (place === null) return
  const { byKey } = place
  const sessions = await signIn(byKey, 2, { user_id: uniqueName() })
  const [first] = sessions
  if (first === undefined) return
  const kid = kidOf(first.accessToken)
  const { isAcknowledged } = await revokeAndProbe(byKey, sessions, () =>
    calls.revoke([`kid:${kid}`], remove(byKey, `/v1/signing-keys/${kid}`)),
  )
  if (isAcknowledged) await signIn(byKey, 1, { user_id: uniqueName() })
}

const apiKey =
  (way: 'revoked' | 'rotated'): Scenario =>
  async ({ calls, random, shared, signIn, uniqueName, everywhere, revokeAndProbe, keep }) => {
    const { byKey, tenantId } = shared
    const made = await calls.plain(post(byKey, '/v1/api-keys', { name: 'Chaos' }))
    const { id, secret } = made.body
    if (made.status !== 201 || id === undefined || secret === undefined) return
    const doomed = credentialOf(tenantId, made.body)
    const sessions = await signIn(doomed, 1, { user_id: uniqueName() })
    const [session] = sessions
    await revokeAndProbe(doomed, sessions, () => {
      // Every node looks the key up while it ends.
      if (session !== undefined && random.chance(0.7)) everywhere(doomed, session)
      return way === 'revoked'
        ? calls.revoke([`key:${id}`], deleteKey(byKey, id))
        : calls.revoke([secretSubject(secret)], post(byKey, `/v1/api-keys/${id}/rotate`, {}))
    })
    for (const session of sessions) keep(byKey, session)
  }

const tenantSuspended: Scenario = async tools => {
  const { calls, ownTenant, signIn, uniqueName, revokeAndProbe } = tools
  const place = await ownTenant()
  if (place === null) return
  const { byKey, byOperator, tenantId } = place
  const sessions = await signIn(byKey, 2, { user_id: uniqueName() })
  await revokeAndProbe([byKey, byOperator], sessions, () =>
    calls.revoke([`tenant:${tenantId}`], {
      method: 'PATCH',
      path: `/v1/tenants/${tenantId}`,
      key: byOperator.key,
      body: { status: 'suspended' },
    }),
  )
}

const tenantDeleted: Scenario = async tools => {
  const { calls, ownTenant, signIn, uniqueName, revokeAndProbe } = tools
  const place = await ownTenant()
  if (place === null) return
  const { byKey, byOperator, tenantId } = place
  const sessions = await signIn(byKey, 2, { user_id: uniqueName() })
  await revokeAndProbe([byKey, byOperator], sessions, () =>
    calls.revoke([`tenant:${tenantId}`], {
      method: 'DELETE',
      path: `/v1/tenants/${tenantId}`,
      key: byOperator.key,
    }),
  )
}

/** A refresh token that comes back two steps later ends the session: that answer is a revoke too. */
const theft: Scenario = async ({ calls, shared, signIn, uniqueName, revokeAndProbe }) => {
  const { byKey } = shared
  const [stolen] = await signIn(byKey, 1, { user_id: uniqueName() })
  const second = stolen && (await calls.refresh(byKey, stolen))
  const third = second && (await calls.refresh(byKey, second))
  if (!stolen || !second || !third) return
  await revokeAndProbe(byKey, [stolen, second, third], () =>
    calls.revoke(
      sessionSubjects([stolen]),
      post(byKey, '/v1/sessions/refresh', { refresh_token: stolen.refreshToken }),
      ({ body }) => body.code === 'refresh_token_reuse',
    ),
  )
}

/** With how often each is played. */
export const SCENARIOS: readonly (readonly [name: string, weight: number, play: Scenario])[] = [
  ['one session', 40, single],
  ['bulk by user', 12, bulkBy('user_id')],
  ['bulk by organisation', 8, bulkBy('org_id')],
  ['bulk by app', 8, bulkBy('app_id')],
  ['bulk except one', 6, bulkExceptOne],
  ['user erased', 6, userErased],
  ['bulk by new organisation', 4, movedIn],
  ['session limit', 4, sessionLimit],
  ['whole tenant', 6, wholeTenant],
  ['signing key', 6, signingKey],
  ['API key revoked', 5, apiKey('revoked')],
  ['API key rotated', 3, apiKey('rotated')],
  ['tenant suspended', 4, tenantSuspended],
  ['tenant deleted', 4, tenantDeleted],
  ['refresh token reused', 6, theft],
]
