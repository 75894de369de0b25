import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { startEmbeddedPostgres } from '@sesame/db'
import { hasRedisServer, startRedis } from '../test/redis-fixture.ts'
import { freePort } from './free-port.ts'
import { countRoundTrips, type RoundTrips } from './round-trips.ts'

/**
 * The price of immediate revocation: how often a node asks Postgres while many verify at once. Run
 * alone, it prints what docs/architecture.md says:
 *
 *     npx node services/api/bench/freshness-price.ts
 */
export interface FreshnessPrice {
  verifies: number
  perSecond: number
  /** Round trips for the question "what has changed?", for each 1,000 verifies. */
  questionsPerThousand: number
  /** All other round trips: rate limits, last use and last activity, housekeeping. */
  othersPerThousand: number
}

export interface PriceOptions {
  /** Who verify at the same time, each with a connection of its own. */
  callers: number
  seconds: number
  withRedis: boolean
}

const SERVER = new URL('../src/server.ts', import.meta.url).pathname
const TOKENS = 500
const WARM_UP_MS = 1_000

/** One real node process; this process is the load, and the line to Postgres that counts. */
export async function measureFreshnessPrice(options: PriceOptions): Promise<FreshnessPrice> {
  const closes: (() => unknown)[] = []
  try {
    const folder = mkdtempSync(join(tmpdir(), 'sesame-price-'))
    closes.push(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }))
    const postgres = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres') })
    closes.push(() => postgres.stop())
    const line = await countRoundTrips(postgres.url)
    closes.push(line.close)
    const redis = options.withRedis ? await startRedis() : null
    closes.push(() => redis?.close())
    const redisPort = (await redis?.connect())?.options.port
    const operatorKey = `ok_${randomBytes(32).toString('base64url')}`
    const node = await startNode({
      DATABASE_URL: line.url,
      ...(redisPort !== undefined && { REDIS_URL: `redis://127.0.0.1:${redisPort}` }),
      PORT: String(await freePort()),
      SESAME_DATA_DIR: join(folder, 'data'),
      SESAME_OPERATOR_KEY: operatorKey,
    })
    closes.push(node.stop)
    return await measure(node.url, operatorKey, line, options)
  } finally {
    for (const close of closes.toReversed()) await close()
  }
}

async function measure(
  url: string,
  operatorKey: string,
  line: RoundTrips,
  { callers, seconds }: PriceOptions,
): Promise<FreshnessPrice> {
  const agent = new Agent({ keepAlive: true, maxSockets: callers })
  const post = (path: string, key: string, body: object) => send(url + path, key, body, agent)
  const tenant = await post('/v1/tenants', operatorKey, {
    name: 'Price',
    settings: { rate_limit_per_second: 1_000_000 },
  })
  const { secret } = tenant.api_key
  const tokens: string[] = []
  while (tokens.length < TOKENS)
    tokens.push((await post('/v1/sessions', secret, { user_id: 'ada' })).access_token)

  const verifyFor = async (durationMs: number): Promise<number> => {
    const endMs = performance.now() + durationMs
    let verifies = 0
    const caller = async () => {
      while (performance.now() < endMs) {
        const token = tokens[verifies++ % tokens.length]
        const { valid } = await post('/v1/sessions/verify', secret, { token })
        if (valid !== true) throw new Error('a good token was refused')
      }
    }
    await Promise.all(Array.from({ length: callers }, caller))
    return verifies
  }
  await verifyFor(WARM_UP_MS)
  const before = { questions: line.count(QUESTIONS), others: line.count(OTHERS) }
  const beganMs = performance.now()
  const verifies = await verifyFor(seconds * 1_000)
  const tookMs = performance.now() - beganMs
  agent.destroy()
  const perThousand = (count: number) => (count * 1_000) / verifies
  return {
    verifies,
    perSecond: (verifies * 1_000) / tookMs,
    questionsPerThousand: perThousand(line.count(QUESTIONS) - before.questions),
    othersPerThousand: perThousand(line.count(OTHERS) - before.others),
  }
}

/** How the two pools of a node call their connections. */
const QUESTIONS = 'sesame-freshness'
const OTHERS = 'sesame'

async function startNode(settings: Record<string, string>) {
  const { PATH = '', HOME = '' } = process.env
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', SERVER], {
    env: { PATH, HOME, METRICS_PORT: 'off', SESAME_DEMO_TENANT: 'false', ...settings },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return { url: await readyUrl(child), stop: () => stop(child) }
}

async function readyUrl(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('the node has no output')
  for await (const text of createInterface({ input: child.stdout })) {
    const url = /^Sesame is ready on (\S+)/.exec(text)?.[1]
    if (url !== undefined) return url
  }
  throw new Error('the node ended before it was ready')
}

function stop(child: ChildProcess): Promise<void> {
  return new Promise(resolve => {
    child.once('exit', () => resolve())
    child.kill('SIGTERM')
  })
}

// biome-ignore lint/suspicious/noExplicitAny: what comes over the wire is read as it is
function send(url: string, key: string, body: object, agent: Agent): Promise<any> {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body)
    const headers = {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(text)),
    }
    const outgoing = request(url, { method: 'POST', agent, headers }, incoming => {
      const chunks: Buffer[] = []
      incoming.on('data', chunk => chunks.push(chunk))
      incoming.on('error', reject)
      incoming.on('end', () => {
        const answer = Buffer.concat(chunks).toString()
        if ((incoming.statusCode ?? 500) < 300) resolve(JSON.parse(answer))
        else reject(new Error(`the node answered ${incoming.statusCode}: ${answer}`))
      })
    })
    outgoing.on('error', reject)
    outgoing.end(text)
  })
}

if (import.meta.main) {
  for (const withRedis of [false, true]) {
    if (withRedis && !hasRedisServer) break
    const price = await measureFreshnessPrice({ callers: 64, seconds: 5, withRedis })
    console.log(
      `64 callers, ${withRedis ? 'with' : 'without'} Redis: ${price.perSecond.toFixed(0)} verifies/s, ` +
        `for 1,000 of them ${price.questionsPerThousand.toFixed(1)} questions to Postgres ` +
        `and ${price.othersPerThousand.toFixed(1)} other round trips`,
    )
  }
}
