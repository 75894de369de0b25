import { type Database, openDatabase } from '@sesame/db'
import { SCOPES } from '../src/api-keys/api-keys.schema.ts'
import type { Actor } from '../src/http/request-context.ts'
import type { Verification } from '../src/sessions/sessions.schema.ts'
import type { CreateTenant } from '../src/tenants/tenants.schema.ts'
import { createServices, type Services } from '../src/wiring.ts'
import { createTestClock, type TestClock } from './test-clock.ts'
import { createTestDatabase } from './test-database.ts'

export const TEST_MASTER_KEY = Buffer.alloc(32, 7)
export const TEST_PUBLIC_URL = 'http://sesame.test'

/** The services of one node, with no HTTP around them. */
export interface TestNode {
  database: Database
  services: Services
  clock: TestClock
  /** A tenant, and whoever acts in it by its first key. */
  tenant(body?: Partial<CreateTenant>): Promise<{ tenantId: string; secret: string }>
  /** The actor of a request that arrives now. */
  actor(tenantId: string): Promise<Actor>
  /** Verifies as a request that arrives now would. */
  verify(tenantId: string, token: string): Promise<Verification>
  close(): Promise<void>
}

export interface TestCluster {
  databaseUrl: string
  node(options?: TestNodeOptions): TestNode
  close(): Promise<void>
}

export interface TestNodeOptions {
  /** Told of what is logged as an error; left out, that fails the test. */
  onError?: (...details: unknown[]) => void
  /** Another way to the same database. */
  databaseUrl?: string
}

/** A database of its own, and any number of nodes on it. */
export async function createTestCluster(): Promise<TestCluster> {
  const { url, drop } = await createTestDatabase()
  const nodes: TestNode[] = []
  return {
    databaseUrl: url,
    node({ onError = unexpected, databaseUrl = url } = {}) {
      const node = createTestNode(databaseUrl, onError)
      nodes.push(node)
      return node
    },
    async close() {
      await Promise.all(nodes.map(node => node.close()))
      await drop()
    },
  }
}

function createTestNode(databaseUrl: string, onError: (...details: unknown[]) => void): TestNode {
  const clock = createTestClock()
  const database = openDatabase({ databaseUrl, poolSize: 10, onConnectionError: () => {} })
  const services = createServices({
    database,
    masterKey: TEST_MASTER_KEY,
    publicUrl: TEST_PUBLIC_URL,
    geo: { locate: () => ({ country: null, location: null }), close: () => {} },
    clock,
    log: { error: onError, warn: () => {} },
  })
  const current = async (tenantId: string) => {
    const copy = await services.freshness.current(tenantId)
    if (copy === null) throw new Error('there is no such tenant')
    return copy
  }
  return {
    database,
    services,
    clock,
    async tenant(body = {}) {
      const { tenant, api_key } = await services.tenants.create({ name: 'Test', ...body })
      return { tenantId: tenant.id, secret: api_key.secret }
    },
    async actor(tenantId) {
      const tenant = await current(tenantId)
      const proof = { seq: tenant.seq, expiresAt: null }
      return { actor: 'key_test', tenantId, tenant, scopes: new Set(SCOPES), proof }
    },
    async verify(tenantId, token) {
      return services.verifier.verify(await current(tenantId), token)
    },
    async close() {
      await services.worker.stop()
      await database.close()
    },
  }
}

function unexpected(...details: unknown[]): never {
  throw new Error('something was logged as an error', { cause: details })
}
