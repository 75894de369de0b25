import { COVERS } from './sessions.sql.ts'

/**
 * The statements of an erasure. In each, $1 is the tenant and $2 the erasure; a step locks the
 * erasure's row first, so that whoever works on it takes turns, counts what it did in the same
 * statement, and leaves out rows that somebody else holds at this moment. The rows of a batch are
 * changed by their place in the table (ctid), which holds as long as they are locked: by tenant and
 * id, a planner that knows nothing yet of a new tenant may read all of its rows for each one.
 *
 * An erasure is about the sessions of a generation before its own. Whoever signs in afterwards has a
 * session of a later one, which keeps its name and its events.
 */
const ERASURE = `
  erasure AS MATERIALIZED (
    SELECT * FROM erasures WHERE tenant_id = $1 AND id = $2 FOR UPDATE
  )`

const IS_LEFT_SESSION = `
  session.tenant_id = erasure.tenant_id AND session.user_id = erasure.user_id
  AND session.generation < erasure.generation`

const IS_LEFT_EVENT = `
  event.tenant_id = erasure.tenant_id AND event.user_id = erasure.user_id
  AND NOT EXISTS (
    SELECT FROM sessions AS session
    WHERE session.tenant_id = event.tenant_id AND session.id = event.session_id
      AND session.user_id = event.user_id)`

/**
 * A row with no token that could live goes at once. Another stays to refuse its tokens, with nobody
 * in it, and under a name that no other row has. It ends here if its row had not followed yet: with
 * another user in it, no pending bulk revoke would cover it any more.
 */
export const ERASE_SESSIONS = `
  WITH ${ERASURE}, batch AS MATERIALIZED (
    SELECT session.ctid AS place, session.token_expires_at < now() - interval '2 hours' AS is_useless,
      bulk.created_at AS ended_at, bulk.revoked_by AS ended_by
    FROM erasure
    JOIN sessions AS session ON ${IS_LEFT_SESSION}
    LEFT JOIN LATERAL (
      SELECT bulk.created_at, bulk.revoked_by FROM tenant_changes AS bulk
      WHERE session.state = 'active' AND ${COVERS} ORDER BY bulk.seq LIMIT 1
    ) AS bulk ON true
    LIMIT $3 FOR UPDATE OF session SKIP LOCKED
  ), removed AS (
    DELETE FROM sessions
    WHERE ctid = ANY (ARRAY(SELECT place FROM batch WHERE is_useless))
    RETURNING id
  ), emptied AS (
    UPDATE sessions AS session SET
      user_id = 'erased_' || replace(gen_random_uuid()::text, '-', ''),
      state = CASE
        WHEN session.state <> 'active' THEN session.state
        WHEN batch.ended_at IS NULL THEN 'expired' ELSE 'revoked' END,
      revoked_at = coalesce(session.revoked_at, batch.ended_at),
      revoked_by = coalesce(session.revoked_by, batch.ended_by),
      revoke_reason = NULL, org_id = NULL, app_id = NULL, role = NULL, amr = '{}',
      user_agent = NULL, ip_address = NULL, country = NULL, location = NULL, device_id = NULL,
      device_name = NULL, device_type = 'other', os = NULL, browser = NULL, metadata = '{}',
      erased_at = now()
    FROM batch
    WHERE NOT batch.is_useless AND session.ctid = batch.place
    RETURNING session.id
  ), done AS (
    SELECT (SELECT count(*) FROM removed) + (SELECT count(*) FROM emptied) AS count
  )
  UPDATE erasures SET progressed_at = now(), sessions_erased = sessions_erased + done.count
  FROM done WHERE tenant_id = $1 AND id = $2
  RETURNING done.count`

/**
 * What stays of an event is what happened and who did it. Reasons are the tenant's own words and may
 * name somebody, unless the service itself gave them.
 */
export const ERASE_EVENTS = `
  WITH ${ERASURE}, batch AS MATERIALIZED (
    SELECT event.ctid AS place FROM erasure JOIN events AS event ON ${IS_LEFT_EVENT}
    LIMIT $3 FOR UPDATE OF event SKIP LOCKED
  ), emptied AS (
    UPDATE events AS event SET
      user_id = erasure.tombstone,
      session_id = CASE WHEN event.session_id IS NOT NULL THEN erasure.tombstone END,
      data = jsonb_strip_nulls(jsonb_build_object(
        'revoked', event.data -> 'revoked', 'changed', event.data -> 'changed',
        'reason', CASE WHEN event.actor = 'system' THEN event.data -> 'reason' END))
    FROM erasure
    WHERE event.ctid = ANY (ARRAY(SELECT place FROM batch))
    RETURNING event.id
  ), done AS (SELECT count(*) AS count FROM emptied)
  UPDATE erasures SET progressed_at = now(), events_erased = events_erased + done.count
  FROM done WHERE tenant_id = $1 AND id = $2
  RETURNING done.count`

/** Where nothing is left, the event that says so takes the place of the row that names the user. */
export const FINISH_ERASURE = `
  WITH finished AS (
    DELETE FROM erasures AS erasure
    WHERE erasure.tenant_id = $1 AND erasure.id = $2
      AND NOT EXISTS (SELECT FROM sessions AS session WHERE ${IS_LEFT_SESSION})
      AND NOT EXISTS (SELECT FROM events AS event WHERE ${IS_LEFT_EVENT})
    RETURNING *
  )
  INSERT INTO events (tenant_id, id, type, actor, data)
  SELECT tenant_id, $3, 'user.erased', actor, jsonb_build_object(
    'erasure_id', id, 'revoked', revoked, 'sessions_erased', sessions_erased,
    'events_erased', events_erased)
  FROM finished`
