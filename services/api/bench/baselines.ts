import { generateKeyPairSync, sign } from 'node:crypto'
import { createVerifier } from 'fast-jwt'
import type { FastifyInstance } from 'fastify'
import pg from 'pg'
import { RefreshSession } from '../src/refresh/refresh.schema.ts'
import { listSessionsStatement } from '../src/sessions/sessions.list.ts'
import {
  CreateSession,
  ListSessionsQuery,
  Session,
  SessionParams,
  SessionTokens,
  Verification,
  VerifyToken,
} from '../src/sessions/sessions.schema.ts'
import { SESSION_COLUMNS, WITH_PENDING_BULK } from '../src/sessions/sessions.sql.ts'
import { Page } from '../src/shared/schema.ts'
import type { BaselineOptions } from './world.ts'

/** Adds the one route of a baseline. */
export async function addBaseline(app: FastifyInstance, options: BaselineOptions): Promise<void> {
  const add = BASELINES[options.kind]
  if (add === undefined) throw new Error(`there is no baseline ${options.kind}`)
  add(app, options)
}

type Add = (app: FastifyInstance, options: BaselineOptions) => void

const VERIFY = { schema: { body: VerifyToken, response: { 200: Verification } } }

const BASELINES: Record<string, Add> = {
  verify: (app, { sample }) => app.post('/v1/sessions/verify', VERIFY, async () => sample),

  'verify-signature': (app, { sample, publicKeyPem = '' }) => {
    const verify = createVerifier({ key: publicKeyPem, cache: false })
    const isGood = (token: string): boolean => {
      try {
        verify(token)
        return true
      } catch {
        return false
      }
    }
    const expected = Reflect.get(Object(sample), 'valid')
    app.post<{ Body: { token: string } }>('/v1/sessions/verify', VERIFY, async request => {
      if (isGood(request.body.token) !== expected) throw new Error('another verdict than ours')
      return sample
    })
  },

  create: (app, { sample, values = [] }) => {
    const pool = openPool()
    const schema = { body: CreateSession, response: { 201: SessionTokens } }
    let inserted = 0
    app.post('/v1/sessions', { schema }, async (_request, reply) => {
      // The ids of this row and of its event; the rest is what Sesame writes too.
      const row = values.with(1, `ses_${++inserted}`).with(23, `evt_${inserted}`)
      await pool.query({ name: 'insert', text: INSERT, values: row })
      signOnce()
      return reply.code(201).send(sample)
    })
  },

  refresh: (app, { sample, values = [] }) => {
    const pool = openPool()
    const schema = { body: RefreshSession, response: { 200: SessionTokens } }
    const ids = values.slice(1)
    let asked = 0
    app.post('/v1/sessions/refresh', { schema }, async () => {
      const row = [values[0], new Date(), ids[asked++ % ids.length]]
      const { rowCount } = await pool.query({ name: 'update', text: UPDATE, values: row })
      if (rowCount !== 1) throw new Error('nothing was updated')
      signOnce()
      return sample
    })
  },

  get: (app, { sample, values = [] }) => {
    const pool = openPool()
    const schema = { params: SessionParams, response: { 200: Session } }
    app.get<{ Params: { sessionId: string } }>(
      '/v1/sessions/:sessionId',
      { schema },
      async request => {
        const row = [values[0], new Date(), request.params.sessionId]
        await pool.query({ name: 'find', text: FIND, values: row })
        return sample
      },
    )
  },

  list: (app, { sample, values = [] }) => {
    const pool = openPool()
    const schema = { querystring: ListSessionsQuery, response: { 200: Page(Session) } }
    const tenantId = String(values[0])
    app.get('/v1/sessions', { schema }, async () => {
      await pool.query(listSessionsStatement(tenantId, { status: 'active' }, null, 21, new Date()))
      return sample
    })
  },
}

const openPool = (): pg.Pool => new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 })

const { privateKey } = generateKeyPairSync('ed25519')
const signingInput = Buffer.alloc(500, 'x')
const signOnce = (): string => sign(null, signingInput, privateKey).toString('base64url')

const INSERT = `
  WITH session AS (
    INSERT INTO bench_sessions (
      tenant_id, id, user_id, org_id, app_id, role, amr, auth_time, user_agent, ip_address, country,
      location, device_id, device_name, device_type, os, browser, metadata, created_at,
      last_active_at, expires_at, token_expires_at, refresh_family_hash, is_expiry_given, ends_at,
      generation
    ) VALUES (
      $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
      $21, $22, $23, $26, $27, 0
    ) RETURNING generation
  ), event AS (
    INSERT INTO bench_events (tenant_id, id, type, session_id, user_id, actor, created_at)
    VALUES ($1, $24, 'session.created', $2, $3, $25, $19)
  )
  SELECT generation FROM session`

const UPDATE = `
  WITH session AS (
    UPDATE bench_sessions SET
      refresh_generation = refresh_generation + 1, refreshed_at = $2, last_active_at = $2
    WHERE tenant_id = $1 AND id = $3 AND state = 'active' AND ends_at > $2
    RETURNING *
  ), bulk AS (
    SELECT NULL::timestamptz AS created_at, NULL::text AS revoked_by, NULL::text AS reason
  )
  SELECT ${SESSION_COLUMNS} FROM session CROSS JOIN bulk`

const FIND = `
  SELECT ${SESSION_COLUMNS} FROM sessions AS session ${WITH_PENDING_BULK}
  WHERE session.tenant_id = $1 AND session.id = $3`
