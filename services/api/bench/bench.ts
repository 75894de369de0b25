import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Call, runLoad } from './load.ts'
import { type ServerProcess, startServer } from './server-process.ts'

/**
 * What Sesame costs beside a bare Fastify (BF) with the same schemas, in one run: the server's CPU
 * time for each request, in interleaved pairs. `npm run bench -- verify` runs one part.
 */
const PAIRS = 5
const CONNECTIONS = 64
const TOKENS = 10_000
const USER_AGENT =
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36'

interface Part {
  name: string
  requests: number
  calls(n: number): Call
  check(status: number, body: string): boolean
}

const dataDir = mkdtempSync(join(tmpdir(), 'sesame-bench-'))
const sesame = await startServer('../src/server.ts', [], {
  SESAME_DATA_DIR: dataDir,
  PORT: '39417',
  METRICS_PORT: 'off',
})
try {
  await main()
} finally {
  await sesame.stop()
  rmSync(dataDir, { recursive: true, force: true })
}

async function main(): Promise<void> {
  const secret = /Secret key\s+(\S+)/.exec(sesame.output.join('\n'))?.[1] ?? ''
  const operator = /Operator key\s+(\S+)/.exec(sesame.output.join('\n'))?.[1] ?? ''
  const tenantId = /Demo tenant\s+(\S+)/.exec(sesame.output.join('\n'))?.[1] ?? ''
  await raiseRateLimit(operator, tenantId)
  const headers = { authorization: `Bearer ${secret}`, 'x-tenant-id': tenantId }
  const create: Part = {
    name: 'create',
    requests: 4_000,
    calls: n => ({
      path: '/v1/sessions',
      headers,
      body: JSON.stringify({
        user_id: `usr_${n}`,
        amr: ['pwd', 'otp'],
        ip_address: '8.8.8.8',
        user_agent: USER_AGENT,
      }),
    }),
    check: (status, body) => status === 201 && body.includes('"access_token":"eyJ'),
  }
  const tokens: string[] = []
  const collect = { ...create, requests: TOKENS }
  await run(sesame, {
    ...collect,
    check(status, body) {
      tokens.push(JSON.parse(body).access_token)
      return create.check(status, body)
    },
  })
  const verify: Part = {
    name: 'verify, token seen before',
    requests: 40_000,
    calls: n => ({
      path: '/v1/sessions/verify',
      headers,
      body: JSON.stringify({ token: tokens[n % tokens.length] }),
    }),
    check: (status, body) => status === 200 && body.startsWith('{"valid":true'),
  }
  const sample = async (call: Call) => {
    const answer = await fetch(sesame.url + call.path, {
      method: 'POST',
      body: call.body,
      headers: { ...call.headers, 'content-type': 'application/json' },
    })
    return answer.json()
  }
  const samples = [await sample(verify.calls(0)), await sample(create.calls(0))]
  const bare = await startServer('./baseline-server.ts', [JSON.stringify(samples)])
  try {
    const asked = process.argv[2]
    const [cpu] = cpus()
    console.log(`Node ${process.version}, ${cpus().length} × ${cpu?.model ?? 'unknown'}\n`)
    for (const part of [verify, create])
      if (asked === undefined || part.name.startsWith(asked)) await compare(part, bare)
  } finally {
    await bare.stop()
  }
}

async function compare(part: Part, bare: ServerProcess): Promise<void> {
  await run(sesame, part)
  await run(bare, part)
  const pairs: { ours: Measured; theirs: Measured }[] = []
  for (let n = 0; n < PAIRS; n++)
    pairs.push({ ours: await run(sesame, part), theirs: await run(bare, part) })
  const ratios = pairs.map(({ ours, theirs }) => ours.cpuUs / theirs.cpuUs).sort((a, b) => a - b)
  const median = (values: number[]): number =>
    values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
  const show = (select: (pair: (typeof pairs)[number]) => Measured) =>
    `${median(pairs.map(p => select(p).cpuUs)).toFixed(0)} µs CPU, ` +
    `${median(pairs.map(p => select(p).perSecond)).toFixed(0)}/s, ` +
    `p50 ${median(pairs.map(p => select(p).p50)).toFixed(1)} ms, ` +
    `p99 ${median(pairs.map(p => select(p).p99)).toFixed(1)} ms`
  console.log(part.name)
  console.log(`  Sesame ${show(pair => pair.ours)}`)
  console.log(`  BF     ${show(pair => pair.theirs)}`)
  const [least = 0] = ratios
  console.log(
    `  CPU ratio ${median(ratios).toFixed(2)} (${least.toFixed(2)} to ${(ratios.at(-1) ?? 0).toFixed(2)})\n`,
  )
}

interface Measured {
  cpuUs: number
  perSecond: number
  p50: number
  p99: number
}

async function run(server: ServerProcess, part: Part): Promise<Measured> {
  const { requests } = part
  const before = server.cpuMs()
  const load = await runLoad(server.url, part.calls, part.check, {
    requests,
    connections: CONNECTIONS,
  })
  const cpuUs = ((server.cpuMs() - before) * 1000) / requests
  return { cpuUs, perSecond: (requests * 1000) / load.durationMs, p50: load.p50, p99: load.p99 }
}

async function raiseRateLimit(operator: string, tenantId: string): Promise<void> {
  const answer = await fetch(`${sesame.url}/v1/tenants/${tenantId}`, {
    method: 'PATCH',
    headers: { authorization: `Bearer ${operator}`, 'content-type': 'application/json' },
    body: JSON.stringify({ settings: { rate_limit_per_second: 1_000_000 } }),
  })
  if (!answer.ok) throw new Error(`the rate limit could not be raised: ${answer.status}`)
}
