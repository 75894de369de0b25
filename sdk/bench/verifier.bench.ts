import { createPublicKey, verify as verifySignature } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { createDenySet } from '../src/verifier/deny-set.ts'
import { createVerifier } from '../src/verifier/verifier.ts'
import { claimsFor, createTestKey, TENANT } from '../test/feed-service.ts'

/** What the local verifier costs: `node sdk/bench/verifier.bench.ts`. CPU time of this process. */
export interface VerifierFigures extends VerifySpeed {
  millionRevocations: MillionRevocations
  bundleKilobytes: number
}

export interface VerifySpeed {
  bareMicros: number
  firstSight: BesideBare
  seenBefore: BesideBare
}

export interface BesideBare {
  micros: number
  /** To the bare check, round by round. */
  ratio: { median: number; min: number; max: number }
}

export interface MillionRevocations {
  bytes: number
  addSeconds: number
  lookUpMicros: number
}

const ISSUER = `https://sesame.test/t/${TENANT}`
/** In each of so many rounds. */
const TOKENS = 100
const ROUNDS = 51

export async function measureVerifier(): Promise<VerifierFigures> {
  return {
    ...(await measureVerifySpeed()),
    millionRevocations: await measureMillionRevocations(),
    bundleKilobytes: await measureBundle(),
  }
}

export async function measureVerifySpeed(): Promise<VerifySpeed> {
  const key = await createTestKey()
  const sets = await Promise.all(
    Array.from({ length: ROUNDS }, () =>
      Promise.all(Array.from({ length: TOKENS }, () => key.sign(claimsFor(ISSUER)))),
    ),
  )
  const publicKey = createPublicKey({ key: key.jwk, format: 'jwk' })
  const verify = createVerifier({ issuer: ISSUER, fetch: async () => keySet(key.jwk) })
  await verify.ready()
  const bare = createTally()
  const first = createTally()
  const seen = createTally()
  // In turns, so that what else this machine does falls on all alike.
  for (const tokens of sets) {
    const inputs = tokens.map(toBytes)
    await bare.add(TOKENS, () => {
      for (const { data, signature } of inputs) verifySignature(null, data, publicKey, signature)
    })
    await first.add(TOKENS, () => verifyAll(verify, tokens))
    // As they come in requests: the same text, but never the same string.
    const copies = tokens.map(token => Buffer.from(token).toString())
    await seen.add(TOKENS, () => verifyAll(verify, copies))
  }
  verify.close()
  return {
    bareMicros: medianOf(bare.rounds),
    firstSight: besideBare(first.rounds, bare.rounds),
    seenBefore: besideBare(seen.rounds, bare.rounds),
  }
}

function besideBare(rounds: number[], bare: number[]): BesideBare {
  const ratios = rounds.map((micros, n) => micros / (bare[n] ?? Number.NaN))
  const ratio = { median: medianOf(ratios), min: Math.min(...ratios), max: Math.max(...ratios) }
  return { micros: medianOf(rounds), ratio }
}

const keySet = (jwk: unknown): Response =>
  Response.json({ keys: [jwk] }, { headers: { 'cache-control': 'max-age=300' } })

function toBytes(token: string) {
  const end = token.lastIndexOf('.')
  return {
    data: Buffer.from(token.slice(0, end)),
    signature: Buffer.from(token.slice(end + 1), 'base64url'),
  }
}

async function verifyAll(
  verify: (token: string) => Promise<{ valid: boolean }>,
  tokens: string[],
): Promise<void> {
  for (const token of tokens) if (!(await verify(token)).valid) throw new Error('a good token')
}

export async function measureMillionRevocations(): Promise<MillionRevocations> {
  const forgetAfterMs = Date.now() + 900_000
  const ids = Array.from({ length: 1_000_000 }, ulidOf)
  const before = await arrayBufferBytes()
  const denySet = createDenySet()
  const addMicros = await cpuMicros(1, () => {
    for (const id of ids) denySet.addSession(id, forgetAfterMs)
  })
  const subject = { userId: 'usr_1', orgId: null, appId: null, generation: 1 }
  const lookUp = await cpuMicros(ids.length, () => {
    for (const sessionId of ids)
      if (!denySet.isRevoked({ ...subject, sessionId })) throw new Error('it is revoked')
  })
  const bytes = (await arrayBufferBytes()) - before
  return {
    bytes: Math.max(bytes, denySet.bytes),
    addSeconds: addMicros / 1e6,
    lookUpMicros: lookUp,
  }
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

function ulidOf(): string {
  let text = 'ses_01K3Z8Q5V7'
  while (text.length < 30) text += CROCKFORD[Math.floor(Math.random() * 32)]
  return text
}

async function arrayBufferBytes(): Promise<number> {
  globalThis.gc?.()
  await new Promise(resolve => setImmediate(resolve))
  return process.memoryUsage().arrayBuffers
}

async function measureBundle(): Promise<number> {
  const { outputFiles } = await build({
    stdin: {
      contents: "export { createVerifier } from './verifier.ts'",
      resolveDir: new URL('../src/verifier', import.meta.url).pathname,
      loader: 'ts',
    },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['browser', 'import'],
    write: false,
  })
  return gzipSync(outputFiles[0]?.contents ?? '').length / 1000
}

async function cpuMicros(count: number, work: () => unknown): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / count
}

function createTally() {
  const rounds: number[] = []
  return {
    rounds,
    async add(count: number, work: () => unknown): Promise<void> {
      rounds.push(await cpuMicros(count, work))
    },
  }
}

const medianOf = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

if (import.meta.main) console.log(await measureVerifier())
