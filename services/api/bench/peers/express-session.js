import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { RedisStore } from 'connect-redis'
import express from 'express'
import session from 'express-session'
import { createClient } from 'redis'
import { announce, count, signed } from './ready.js'

/** express-session on Redis, as the guide of connect-redis sets it up: the session behind a cookie. */
const SECRET = 'a-secret-of-more-than-thirty-two-characters'
const redis = createClient({ url: process.env.REDIS_URL })
await redis.connect()
const store = new RedisStore({ client: redis })
const app = express()
app.use(session({ store, secret: SECRET, resave: false, saveUninitialized: false }))
app.get('/me', (request, response) => {
  const { userId, role } = request.session
  if (userId === undefined) return void response.status(401).end()
  response.json({ valid: true, userId, role })
})

const signIns = []
for (let n = 0; n < count; n++) {
  const id = randomBytes(24).toString('base64url')
  const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
  await new Promise((resolve, reject) => {
    const facts = { cookie, userId: `user-${n}`, role: 'member' }
    store.set(id, facts, error => (error ? reject(error) : resolve()))
  })
  const value = encodeURIComponent(`s:${signed(id, SECRET)}`).replaceAll('%3D', '')
  signIns.push({ cookie: `connect.sid=${value}`, userId: `user-${n}` })
}
announce(createServer(app), signIns)
