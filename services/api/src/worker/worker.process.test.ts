import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { insertSessionRows } from '../../test/session-rows.ts'
import { createTestCluster, type TestCluster, type TestNode } from '../../test/test-node.ts'

const WORKER = join(import.meta.dirname, '../worker.ts')
const ROWS = 60_000
const START_LIMIT_MS = 30_000

let cluster: TestCluster
let node: TestNode
const running = new Set<WorkerProcess>()

beforeAll(async () => {
  cluster = await createTestCluster()
  node = cluster.node()
})
afterEach(async () => {
  for (const worker of running) await worker.end('SIGKILL')
})
afterAll(() => cluster.close())

interface WorkerProcess {
  child: ChildProcess
  output(): string
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null>
}

function startWorker(settings: Record<string, string>): WorkerProcess {
  const { PATH = '', HOME = '' } = process.env
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', WORKER], {
    env: { PATH, HOME, LOG_LEVEL: 'warn', METRICS_PORT: 'off', ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', text => (output += text))
  const exited = once(child, 'exit')
  const worker: WorkerProcess = {
    child,
    output: () => output,
    async end(signal) {
      child.kill(signal)
      await exited
      running.delete(worker)
      return child.exitCode
    },
  }
  running.add(worker)
  return worker
}

async function startReadyWorker(settings: Record<string, string> = {}): Promise<WorkerProcess> {
  const worker = startWorker({ DATABASE_URL: cluster.databaseUrl, ...settings })
  await expect.poll(worker.output, { timeout: START_LIMIT_MS }).toContain('worker is ready')
  return worker
}

const countSessions = async (tenantId: string): Promise<number> =>
  (
    await node.database.pool.query('SELECT count(*) AS count FROM sessions WHERE tenant_id = $1', [
      tenantId,
    ])
  ).rows[0].count

it('does its work as a process of its own; when one is killed in the middle another goes on', async () => {
  const { tenantId } = await node.tenant()
  const old = `now() - interval '100 days'`
  await insertSessionRows(node.database.pool, {
    tenantId,
    count: ROWS,
    columns: { state: `'revoked'`, revoked_at: old, token_expires_at: old },
  })
  const by = await node.actor(tenantId)
  const living = await node.services.sessions.create(by, { user_id: 'u' })
  const first = await startReadyWorker()
  await expect
    .poll(() => countSessions(tenantId), { timeout: 30_000, interval: 10 })
    .toBeLessThan(ROWS)
  await first.end('SIGKILL')
  const left = await countSessions(tenantId)
  expect(left).toBeGreaterThan(1)
  expect(left).toBeLessThan(ROWS)
  // Nobody else works on it, and what was under way at the kill is undone as a whole.
  expect((ROWS + 1 - left) % 1_000).toBe(0)
  const second = await startReadyWorker()
  await expect.poll(() => countSessions(tenantId), { timeout: 30_000 }).toBe(1)
  expect(await second.end('SIGTERM')).toBe(0)
  expect(await node.verify(tenantId, living.access_token)).toMatchObject({ valid: true })
}, 120_000)

it('says in one line that it needs a database of its own address', async () => {
  const worker = startWorker({})
  await once(worker.child, 'exit')
  running.delete(worker)
  expect(worker.child.exitCode).toBe(1)
  expect(worker.output()).toMatch(/^the worker needs DATABASE_URL: [^\n]+\n$/)
})
