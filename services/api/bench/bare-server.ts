import Fastify from 'fastify'
import pg from 'pg'

/** The least that a service on Postgres is: Fastify, a pool, one route. */
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL })
await pool.query('SELECT 1')
const app = Fastify()
app.get('/', async () => ({ ok: true }))
const address = await app.listen({ host: '127.0.0.1', port: 0 })
console.log(`Sesame is ready on ${address}`)
