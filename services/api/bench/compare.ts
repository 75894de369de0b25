import type { Loader, LoadOrder } from './load.ts'
import type { ServerProcess } from './server-process.ts'

/** One side of one pair. */
export interface Measured {
  cpuUs: number
  perSecond: number
  p50Ms: number
  p99Ms: number
}

export interface Spread {
  median: number
  min: number
  max: number
}

export interface Comparison {
  ours: Measured
  theirs: Measured
  /** Of the CPU time a request, pair by pair. */
  cpuRatio: Spread
}

/** Makes one run of so many requests. */
export type Side = (requests: number) => Promise<Measured>

export interface Pairs {
  pairs: number
  runSeconds: number
  /** Of the first runs, which are not counted. */
  warmUpRequests: number
}

/** Interleaved pairs, A B A B, of equal length: what disturbs the machine disturbs both. */
export async function compare(
  ours: Side,
  theirs: Side,
  { pairs, runSeconds, warmUpRequests }: Pairs,
): Promise<Comparison> {
  // Code gets compiled, statements prepared, and both speeds known.
  const enough = ({ perSecond }: Measured): number =>
    Math.max(MIN_REQUESTS, Math.round(perSecond * runSeconds))
  const ourRequests = enough(await ours(warmUpRequests))
  const theirRequests = enough(await theirs(warmUpRequests))
  const done: { ours: Measured; theirs: Measured }[] = []
  for (let n = 0; n < pairs; n++)
    done.push({ ours: await ours(ourRequests), theirs: await theirs(theirRequests) })
  return {
    ours: medians(done.map(pair => pair.ours)),
    theirs: medians(done.map(pair => pair.theirs)),
    cpuRatio: spreadOf(done.map(pair => pair.ours.cpuUs / pair.theirs.cpuUs)),
  }
}

/** Fewer would be lost in the grain of the measurement. */
const MIN_REQUESTS = 1_000

export function spreadOf(values: number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const [min = 0] = sorted
  return { median: sorted[Math.floor(sorted.length / 2)] ?? 0, min, max: sorted.at(-1) ?? 0 }
}

function medians(all: Measured[]): Measured {
  const median = (select: (one: Measured) => number): number => spreadOf(all.map(select)).median
  return {
    cpuUs: median(one => one.cpuUs),
    perSecond: median(one => one.perSecond),
    p50Ms: median(one => one.p50Ms),
    p99Ms: median(one => one.p99Ms),
  }
}

/** Runs a load against a server, and reads what the server's process paid for it. */
export async function measure(
  loader: Loader,
  server: ServerProcess,
  order: Omit<LoadOrder, 'port'>,
): Promise<Measured & { collected: string[] }> {
  const before = server.cpuMs()
  const report = await loader.run({ ...order, port: server.port })
  const cpuUs = ((server.cpuMs() - before) * 1000) / order.requests
  const { durationMs, p50Ms, p99Ms, collected } = report
  return { cpuUs, perSecond: (order.requests * 1000) / durationMs, p50Ms, p99Ms, collected }
}
