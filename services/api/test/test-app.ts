import type { FastifyInstance, InjectOptions } from 'fastify'
import { buildApp } from '../src/app.ts'
import { createLogger } from '../src/http/logging.ts'
import { sha256 } from '../src/shared/crypto.ts'
import { createLogSink } from './log-sink.ts'
import { createTestCluster, TEST_PUBLIC_URL, type TestNode } from './test-node.ts'

export const TEST_OPERATOR_KEY = 'ok_test_operator_key_for_tests_only_0123456789'

export interface Answer {
  status: number
  headers: Record<string, string | string[] | number | undefined>
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what came over the wire as it is
  body: any
}

export interface Call {
  headers?: Record<string, string>
  query?: Record<string, string>
  body?: unknown
}

/** Whoever holds a credential, and calls with it. */
export interface Caller {
  call(method: string, path: string, call?: Call): Promise<Answer>
}

export interface TestTenant extends Caller {
  id: string
  secret: string
  /** A new session with its tokens. */
  session(body?: Record<string, unknown>): Promise<Answer['body']>
  /** A caller with another key of the tenant. */
  withKey(body: Record<string, unknown>): Promise<Caller & { id: string; secret: string }>
}

export interface TestApp {
  app: FastifyInstance
  node: TestNode
  operator: Caller
  anonymous: Caller
  tenant(body?: Record<string, unknown>): Promise<TestTenant>
  with(credential: string): Caller
  close(): Promise<void>
}

/** A whole service without a socket: real Postgres, real routes, a clock that can be moved. */
export async function createTestApp(): Promise<TestApp> {
  const cluster = await createTestCluster()
  const node = cluster.node()
  const app = await buildApp({
    config: { publicUrl: TEST_PUBLIC_URL, trustProxy: false },
    services: node.services,
    log: createLogger({ level: 'trace', destination: createLogSink() }),
    operatorKeyHash: sha256(TEST_OPERATOR_KEY),
    clock: node.clock,
  })
  const withCredential = (credential: string | null): Caller => ({
    async call(method, path, { headers = {}, query, body } = {}) {
      const request: InjectOptions = {
        method: method as 'GET',
        url: path,
        ...(query !== undefined && { query }),
        ...(body !== undefined && { payload: body as object }),
        headers: {
          ...(credential !== null && { authorization: `Bearer ${credential}` }),
          ...headers,
        },
      }
      const response = await app.inject(request)
      return { status: response.statusCode, headers: response.headers, body: read(response.body) }
    },
  })
  const operator = withCredential(TEST_OPERATOR_KEY)

  return {
    app,
    node,
    operator,
    anonymous: withCredential(null),
    with: withCredential,
    async tenant(body = {}) {
      const made = await operator.call('POST', '/v1/tenants', { body: { name: 'Test', ...body } })
      const { tenant, api_key } = made.body
      const caller = withCredential(api_key.secret)
      return {
        ...caller,
        id: tenant.id,
        secret: api_key.secret,
        async session(given = {}) {
          const call = { body: { user_id: 'usr_1', ...given } }
          return (await caller.call('POST', '/v1/sessions', call)).body
        },
        async withKey(given) {
          const key = await caller.call('POST', '/v1/api-keys', { body: { name: 'k', ...given } })
          const { id, secret } = key.body
          return { ...withCredential(secret), id, secret }
        },
      }
    },
    async close() {
      await app.close()
      await cluster.close()
    },
  }
}

function read(text: string): unknown {
  if (text === '') return null
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
