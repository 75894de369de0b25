import Fastify from 'fastify'
import { addBaseline } from './baselines.ts'

/**
 * BF: a bare Fastify with the schemas of the route under test, that does nothing but what its
 * baseline names. It believes its caller, asks nobody, logs nothing.
 */
const app = Fastify()
await addBaseline(app, JSON.parse(process.argv[2] ?? '{}'))
const address = await app.listen({ host: '127.0.0.1', port: 0 })
console.log(`Sesame is ready on ${address}`)
