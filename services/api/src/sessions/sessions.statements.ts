import type { QueryConfig } from 'pg'
import { newId } from '../shared/ids.ts'
import { COVERED_BY_PENDING, IS_ACTIVE } from './sessions.sql.ts'
import type { NewSession, Revocation } from './sessions.store.ts'

/** Writes a session and its event; answers with the generation it was born in. */
export function insertSession(tenantId: string, session: NewSession, actor: string): QueryConfig {
  return {
    name: 'insert_session',
    text: INSERT_SESSION,
    values: [
      tenantId,
      session.id,
      session.userId,
      session.orgId,
      session.appId,
      session.role,
      session.amr,
      session.authTime,
      session.userAgent,
      session.ipAddress,
      session.country,
      session.location,
      session.deviceId,
      session.deviceName,
      session.deviceType,
      session.os,
      session.browser,
      JSON.stringify(session.metadata),
      session.createdAt,
      session.lastActiveAt,
      session.expiresAt,
      session.tokenExpiresAt,
      session.refreshFamilyHash,
      newId('evt'),
      actor,
      session.isExpiryGiven,
      session.endsAt,
    ],
  }
}

/** Ends several sessions, each named once; answers with the ids of those that were active. */
export function revokeSessions(tenantId: string, revocations: Revocation[]): QueryConfig {
  return {
    name: 'revoke_sessions',
    text: REVOKE_SESSIONS,
    values: [
      tenantId,
      revocations.map(({ sessionId }) => sessionId),
      revocations.map(({ at }) => at),
      revocations.map(({ revokedBy }) => revokedBy),
      revocations.map(({ reason }) => reason),
      revocations.map(() => newId('evt')),
    ],
  }
}

// The generation is read under the lock that a bulk revoke waits for: see the first migration.
const INSERT_SESSION = `
  WITH session AS (
    INSERT INTO sessions (
      tenant_id, id, user_id, org_id, app_id, role, amr, auth_time, user_agent, ip_address, country,
      location, device_id, device_name, device_type, os, browser, metadata, created_at,
      last_active_at, expires_at, token_expires_at, refresh_family_hash, is_expiry_given, ends_at,
      generation
    ) VALUES (
      $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
      $21, $22, $23, $26, $27, sesame_birth_generation($1)
    ) RETURNING generation
  ), event AS (
    INSERT INTO events (tenant_id, id, type, session_id, user_id, actor, created_at)
    VALUES ($1, $24, 'session.created', $2, $3, $25, $19)
  )
  SELECT generation FROM session`

// The rows are locked in the order of their ids, so that two such statements never wait for each
// other in a circle. The change log's head comes last: it stays locked until the commit.
// A session that has just expired is told of too, and its row follows at once: a node whose clock is
// a moment behind, or activity that is written late, must not find it alive after the answer.
const REVOKE_SESSIONS = `
  WITH given AS (
    SELECT * FROM unnest($2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[])
      AS given (id, at, revoked_by, reason, event_id)
  ), locked AS MATERIALIZED (
    SELECT session.id FROM sessions AS session
    WHERE session.tenant_id = $1 AND session.id = ANY ($2::text[])
    ORDER BY session.id FOR UPDATE
  ), ended AS (
    UPDATE sessions AS session
    SET state = CASE WHEN session.ends_at > given.at THEN 'revoked' ELSE 'expired' END,
        revoked_at = CASE WHEN session.ends_at > given.at THEN given.at END,
        revoked_by = CASE WHEN session.ends_at > given.at THEN given.revoked_by END,
        revoke_reason = CASE WHEN session.ends_at > given.at THEN given.reason END
    FROM given JOIN locked ON locked.id = given.id
    WHERE session.tenant_id = $1 AND session.id = given.id AND ${IS_ACTIVE}
      AND NOT ${COVERED_BY_PENDING}
    RETURNING session.id, session.user_id, session.token_expires_at, session.state, given.at,
      given.revoked_by, given.reason, given.event_id
  ), numbered AS (
    SELECT ended.*, row_number() OVER () AS number, count(*) OVER () AS total FROM ended
  ), head AS (
    UPDATE tenant_heads SET seq = seq + (SELECT count(*) FROM ended)
    WHERE tenant_id = $1 AND EXISTS (SELECT FROM ended)
    RETURNING seq
  ), change AS (
    INSERT INTO tenant_changes (tenant_id, seq, kind, session_id, revoked_by, reason, created_at, forget_after)
    SELECT $1, head.seq - total + number, 'session', id, revoked_by, reason, at, token_expires_at
    FROM numbered CROSS JOIN head
  ), event AS (
    INSERT INTO events (tenant_id, id, type, session_id, user_id, actor, data, created_at)
    SELECT $1, event_id, 'session.revoked', id, user_id, revoked_by,
      jsonb_build_object('reason', reason), at
    FROM numbered WHERE state = 'revoked'
  )
  SELECT id FROM numbered WHERE state = 'revoked'`
