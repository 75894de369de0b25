import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { ClientBase, QueryResult } from 'pg'
import { buildApp } from '../src/app.ts'
import { createLogger } from '../src/http/logging.ts'
import { sha256 } from '../src/shared/crypto.ts'
import { createLogSink } from './log-sink.ts'
import { type Answer, type Call, TEST_OPERATOR_KEY } from './test-app.ts'
import { TEST_PUBLIC_URL, type TestNode } from './test-node.ts'

/** A statement that is about to be sent to Postgres. */
export interface GatedStatement {
  /** From 0, since the gate was set. */
  index: number
  text: string
  /** Sends it, and gives its answer. */
  send(): Promise<QueryResult>
  /** Breaks the connection, as a killed backend does. */
  breakConnection(): void
  /** Nothing that Postgres says on this connection arrives, until the answer is called. */
  silenceConnection(): () => void
}

/** What becomes of each statement of a node: BEGIN and COMMIT, Prisma's, those for the freshness. */
export type Gate = (statement: GatedStatement) => Promise<QueryResult>

/** The HTTP service of a node, between whose every statement and Postgres a test can step. */
export interface GatedApp {
  app: FastifyInstance
  node: TestNode
  call(credential: string, method: string, path: string, call?: Call): Promise<Answer>
  /** Null lets everything pass. */
  setGate(gate: Gate | null): void
  close(): Promise<void>
}

/** @param node one that has not opened a connection yet. */
export async function createGatedApp(node: TestNode): Promise<GatedApp> {
  let gate: Gate | null = null
  let statements = 0
  let calls = 0
  const around = async (client: ClientBase, text: string, send: () => Promise<QueryResult>) => {
    if (gate === null) return send()
    const stream = socketOf(client)
    return gate({
      index: statements++,
      text,
      send,
      breakConnection: () => void stream.destroy(),
      silenceConnection() {
        stream.pause()
        return () => void stream.resume()
      },
    })
  }
  const { pool, freshnessPool } = node.database
  for (const each of [pool, freshnessPool])
    each.on('connect', client => stepBetween(client, around))

  const app = await buildApp({
    config: { publicUrl: TEST_PUBLIC_URL, trustProxy: false },
    services: node.services,
    log: createLogger({ level: 'trace', destination: createLogSink() }),
    operatorKeyHash: sha256(TEST_OPERATOR_KEY),
    clock: node.clock,
  })
  return {
    app,
    node,
    async call(credential, method, path, { headers = {}, body } = {}) {
      const { statusCode, ...response } = await app.inject({
        method: method as 'GET',
        url: path,
        remoteAddress: addressOf(calls++),
        headers: { authorization: `Bearer ${credential}`, ...headers },
        ...(body !== undefined && { payload: body as object }),
      })
      const isEmpty = response.body === ''
      const read = isEmpty ? null : JSON.parse(response.body)
      return { status: statusCode, headers: response.headers, body: read }
    },
    setGate(next) {
      gate = next
      statements = 0
    },
    close: () => app.close(),
  }
}

// Each call from an address of its own: many refused keys from one would be slowed down as guessing.
const addressOf = (n: number): string => `10.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`

type Around = (
  client: ClientBase,
  text: string,
  send: () => Promise<QueryResult>,
) => Promise<QueryResult>

/** Every way to a statement, pg's own pool and Prisma's adapter alike, ends in `client.query`. */
function stepBetween(client: ClientBase, around: Around): void {
  const ungated = client.query
  const original = (...given: unknown[]): Promise<QueryResult> => {
    if (!('submit' in Object(given[0]))) return Reflect.apply(ungated, client, given)
    // A query of our own, which tells its callback alone.
    const { promise, resolve, reject } = Promise.withResolvers<QueryResult>()
    const done = (error: unknown, result: QueryResult) => (error ? reject(error) : resolve(result))
    Reflect.apply(ungated, client, [given[0], undefined, done])
    return promise
  }
  const query = (...given: unknown[]): unknown => {
    const callback = given.findIndex(each => typeof each === 'function')
    const [statement] = given
    const text =
      typeof statement === 'string' ? statement : String(Reflect.get(Object(statement), 'text'))
    const rest = callback < 0 ? given : given.slice(0, callback)
    const answer = around(client, text, () => original(...rest))
    if (callback < 0) return answer
    const done = given[callback] as (error: unknown, result?: QueryResult) => void
    answer.then(
      result => done(null, result),
      error => done(error),
    )
    return undefined
  }
  Object.assign(client, { query })
}

function socketOf(client: ClientBase): Socket {
  const { stream } = Reflect.get(client, 'connection') as { stream: Socket }
  return stream
}
