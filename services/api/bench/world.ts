import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbeddedPostgres } from '@sesame/db'
import pg from 'pg'
import { SCOPES } from '../src/api-keys/api-keys.schema.ts'
import { freePort } from './free-port.ts'
import { type Loader, startLoader } from './load.ts'
import { type ServerProcess, startServer } from './server-process.ts'

/** What every part needs: a Postgres, a node of Sesame, a tenant, and somebody who makes load. */
export interface World {
  databaseUrl: string
  pool: pg.Pool
  loader: Loader
  /** One API process with production settings. */
  node: ServerProcess
  tenantId: string
  /** The tenant's secret key, as headers. */
  headers: Record<string, string>
  masterKey: Buffer
  /** Another node on the same database. */
  startNode(env?: Record<string, string>): Promise<ServerProcess>
  startBaseline(options: BaselineOptions): Promise<ServerProcess>
  /** A program of this folder that says when it is ready. */
  startScript(script: string): Promise<ServerProcess>
  /** A node with its own embedded Postgres, by the launcher, always in the same data folder. */
  startEmbedded(): Promise<ServerProcess>
  /** The same world as another tenant has it, one that is made for the purpose. */
  asNewTenant(settings?: TenantSettings): Promise<World>
  /** A call of Sesame's API that must succeed. */
  call(method: string, path: string, body?: object, url?: string): Promise<unknown>
  close(): Promise<void>
}

interface TenantSettings {
  /** Left out: out of the way. */
  rate_limit_per_second?: number
}

/** What the baseline server is told. */
export interface BaselineOptions {
  kind: string
  /** What it answers with. */
  sample: unknown
  publicKeyPem?: string
  /** For its statement. */
  values?: unknown[]
}

const MASTER_KEY = Buffer.alloc(32, 7)
const OPERATOR_KEY = `ok_${'b'.repeat(43)}`
const SERVER = new URL('../src/server.ts', import.meta.url).pathname
const LAUNCHER = new URL('../../../infra/launch/launch.js', import.meta.url).pathname
const HIGHEST_RATE = 1_000_000
const DAY_SECONDS = 86_400

export async function createWorld(): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), 'sesame-bench-'))
  const opened: (() => unknown)[] = [() => rmSync(dir, { recursive: true, force: true })]
  const close = async (): Promise<void> => {
    for (const shut of opened.splice(0).reverse()) await shut()
  }
  try {
    return await build(dir, opened, close)
  } catch (error) {
    await close()
    throw error
  }
}

async function build(
  dir: string,
  opened: (() => unknown)[],
  close: World['close'],
): Promise<World> {
  const postgres = await startEmbeddedPostgres({ dataDir: join(dir, 'data') })
  opened.push(() => postgres.stop())
  const pool = new pg.Pool({ connectionString: postgres.url, max: 4 })
  // Postgres may end an idle connection first; with no listener that would hide why the run failed.
  pool.on('error', () => {})
  opened.push(() => pool.end())
  const loader = startLoader()
  opened.push(() => loader.stop())
  const serverOf = async (script: string, args: string[], env: Record<string, string>) => {
    const logFile = join(dir, 'server.log')
    const server = await startServer({ script, args, env, logFile })
    opened.push(() => server.stop())
    return server
  }
  const startNode = async (env: Record<string, string> = {}) =>
    serverOf(SERVER, [], {
      DATABASE_URL: postgres.url,
      SESAME_DATA_DIR: join(dir, 'node'),
      SESAME_MASTER_KEY: MASTER_KEY.toString('base64url'),
      SESAME_OPERATOR_KEY: OPERATOR_KEY,
      SESAME_DEMO_TENANT: 'false',
      PUBLIC_URL: 'https://auth.example.com',
      PORT: String(await freePort()),
      METRICS_PORT: String(await freePort()),
      ...env,
    })
  const node = await startNode()
  const shared = {
    databaseUrl: postgres.url,
    pool,
    loader,
    node,
    masterKey: MASTER_KEY,
    startNode,
    startScript: (script: string) => serverOf(script, [], { DATABASE_URL: postgres.url }),
    startEmbedded: async () =>
      serverOf(LAUNCHER, ['node', '--disable-warning=ExperimentalWarning', SERVER], {
        SESAME_DATA_DIR: join(dir, 'embedded'),
        PORT: String(await freePort()),
        METRICS_PORT: String(await freePort()),
      }),
    startBaseline: (options: BaselineOptions) =>
      serverOf('./baseline-server.ts', [JSON.stringify(options)], { DATABASE_URL: postgres.url }),
    close,
  }
  const asNewTenant = async (settings: TenantSettings = {}): Promise<World> => {
    const tenant = await createTenant(node.url, settings)
    const headers = { authorization: `Bearer ${tenant.secret}`, 'x-tenant-id': tenant.id }
    return {
      ...shared,
      tenantId: tenant.id,
      headers,
      asNewTenant,
      call: (method, path, body, url = node.url) => call(url + path, { method, headers, body }),
    }
  }
  return asNewTenant()
}

/** Its tokens outlive the longest run. */
async function createTenant(
  url: string,
  given: TenantSettings,
): Promise<{ id: string; secret: string }> {
  const headers = { authorization: `Bearer ${OPERATOR_KEY}` }
  const settings = {
    rate_limit_per_second: HIGHEST_RATE,
    access_token_ttl_seconds: DAY_SECONDS,
    ...given,
  }
  const body = { name: 'Bench', settings }
  const { tenant, api_key } = (await call(`${url}/v1/tenants`, {
    method: 'POST',
    headers,
    body,
  })) as { tenant: { id: string }; api_key: { secret: string; scopes: string[] } }
  if (api_key.scopes.length !== SCOPES.length) throw new Error('the first key may not do it all')
  return { id: tenant.id, secret: api_key.secret }
}

interface CallOptions {
  method: string
  headers: Record<string, string>
  body?: object | undefined
}

async function call(url: string, { method, headers, body }: CallOptions): Promise<unknown> {
  const answer = await fetch(url, {
    method,
    headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${url} answered ${answer.status}: ${text}`)
  return text === '' ? null : JSON.parse(text)
}
