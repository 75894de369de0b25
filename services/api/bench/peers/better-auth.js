import { createServer } from 'node:http'
import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import { toNodeHandler } from 'better-auth/node'
import pg from 'pg'
import { announce, count, signed } from './ready.js'

/**
 * better-auth as its guide sets it up on Postgres, with its own defaults: a session is a row, and
 * get-session reads it. Only its rate limit and its telemetry are out of the way.
 */
const SECRET = 'a-secret-of-more-than-thirty-two-characters'
const database = new pg.Pool({
  connectionString: process.env.DATABASE_URL,
  options: '-c search_path=better_auth',
  max: 10,
})
await database.query('CREATE SCHEMA IF NOT EXISTS better_auth')
const options = {
  database,
  secret: SECRET,
  baseURL: 'http://127.0.0.1',
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
}
const auth = betterAuth(options)
const { runMigrations } = await getMigrations(options)
await runMigrations()

const { internalAdapter } = await auth.$context
const signIns = []
for (let n = 0; n < count; n++) {
  const user = await internalAdapter.createUser({
    email: `user-${n}@example.com`,
    name: `User ${n}`,
  })
  const { token } = await internalAdapter.createSession(user.id)
  const cookie = encodeURIComponent(signed(token, SECRET))
  signIns.push({ cookie: `better-auth.session_token=${cookie}`, userId: user.id })
}
announce(createServer(toNodeHandler(auth)), signIns)
