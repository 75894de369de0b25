import { connect } from 'node:net'
import { insertRevocations } from '../../test/change-log.ts'
import { startFeedVerifiers } from '../feed-followers.ts'
import type { Figure, Form, Part } from '../figures.ts'
import { signInOnce } from '../sign-ins.ts'
import type { World } from '../world.ts'

const IN_SNAPSHOT = 10_000
const VERIFIERS = 100
const REVOKES: Record<Form['name'], number> = { quick: 30, full: 200 }
const TIMEOUT_MS = 10_000

/** What a verifier must fetch before it knows, and how soon a hundred of them refuse. */
export const feedPart: Part = {
  name: 'feed',
  isQuick: true,
  run: async (world, form) => [
    await snapshot(world),
    await revokeLatency(world, REVOKES[form.name]),
  ],
}

async function snapshot(world: World): Promise<Figure> {
  const tenant = await world.asNewTenant()
  const ids = await insertRevocations(tenant.pool, tenant.tenantId, IN_SNAPSHOT)
  const wire = await readUntilSynced(tenant)
  const missing = ids.filter(id => !wire.includes(id))
  if (missing.length > 0) throw new Error(`the snapshot leaves out ${missing.length} sessions`)
  const kilobytes = Buffer.byteLength(wire, 'latin1') / 1000
  return {
    part: `feed snapshot of ${IN_SNAPSHOT} revoked sessions`,
    baseline: 'the wire, head and framing included',
    value: { median: kilobytes, min: kilobytes, max: kilobytes },
    unit: 'KB',
    most: 400,
  }
}

/** A socket and nothing else: every byte counts, and none is unpacked on the way. */
function readUntilSynced({ node, headers }: World): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port: node.port })
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.setEncoding('latin1').setTimeout(TIMEOUT_MS)
  socket.write(`GET /v1/revocations/stream HTTP/1.1\r\nhost: 127.0.0.1\r\n${lines.join('')}\r\n`)
  return new Promise((resolve, reject) => {
    let wire = ''
    const fail = (error?: Error): void => {
      socket.destroy()
      reject(error ?? new Error(`the feed never was synced: ${wire.slice(0, 300)}`))
    }
    socket.on('data', (text: string) => {
      wire += text
      if (!/event: synced\n.*\n\n/s.test(wire.slice(-200))) return
      socket.destroy()
      resolve(wire)
    })
    socket.on('error', fail)
    socket.on('timeout', () => fail())
    socket.on('end', () => fail())
  })
}

async function revokeLatency(world: World, revokes: number): Promise<Figure> {
  const followers = await startFeedVerifiers(world, VERIFIERS)
  const latencies: number[] = []
  try {
    // The first one finds code that never ran.
    for (let n = 0; n <= revokes; n++) {
      const { session, access_token } = await signInOnce(world, n)
      const refused = await followers.watch(access_token)
      await world.call('DELETE', `/v1/sessions/${session.id}`)
      const answeredMs = performance.timeOrigin + performance.now()
      const all = (await refused()).map(refusedMs => Math.max(0, refusedMs - answeredMs))
      if (n > 0) latencies.push(...all)
    }
  } finally {
    followers.stop()
  }
  const sorted = latencies.toSorted((a, b) => a - b)
  const quantile = (q: number): number => sorted[Math.floor(sorted.length * q)] ?? 0
  const [p50, p99] = [quantile(0.5), quantile(0.99)]
  return {
    part: `revoke answered until refused by ${VERIFIERS} SDK verifiers on the feed: p99`,
    baseline: 'the clock',
    value: { median: p99, min: p99, max: p99 },
    unit: 'ms',
    most: 250,
    notes: [`p50 ${p50.toFixed(1)} ms; ${revokes} revokes, each refused by every verifier`],
  }
}
