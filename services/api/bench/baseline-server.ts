import Fastify from 'fastify'
import {
  CreateSession,
  SessionTokens,
  Verification,
  VerifyToken,
} from '../src/sessions/sessions.schema.ts'

/** BF: a bare Fastify with the same schemas as the routes under test, that does nothing. */
const app = Fastify()
const [verification, tokens] = JSON.parse(process.argv[2] ?? '[]')

app.post(
  '/v1/sessions/verify',
  { schema: { body: VerifyToken, response: { 200: Verification } } },
  async () => verification,
)
app.post(
  '/v1/sessions',
  { schema: { body: CreateSession, response: { 201: SessionTokens } } },
  async (_request, reply) => reply.code(201).send(tokens),
)

const address = await app.listen({ host: '127.0.0.1', port: 0 })
console.log(`Sesame is ready on ${address}`)
