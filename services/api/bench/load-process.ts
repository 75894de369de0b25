import type { LoadOrder, LoadReport, WireCall } from './load.ts'
import { openConnection } from './load-connection.ts'

/** The load generator: a process of its own, so that it shares no event loop with what it measures. */
let calls: { bytes: Buffer; expects: string }[] = []
const cursors = new Map<number, number>()

process.on('message', (order: LoadOrder | WireCall[]) => {
  if (Array.isArray(order)) {
    calls = order.map(({ head, body, expects }) => ({ bytes: Buffer.from(head + body), expects }))
    cursors.clear()
    process.send?.({ prepared: calls.length })
    return
  }
  run(order).then(
    report => process.send?.(report),
    (error: unknown) => process.send?.({ failed: String(error) }),
  )
})

async function run(order: LoadOrder): Promise<LoadReport> {
  const { port, requests, connections, status, collect } = order
  const opened = await Promise.all(
    Array.from({ length: connections }, async () => openConnection(port)),
  )
  const latencies = new Float64Array(requests)
  const collected: string[] = []
  const pattern = collect === undefined ? null : new RegExp(collect)
  const began = performance.now()
  const firstCall = cursors.get(port) ?? 0
  cursors.set(port, firstCall + requests)
  // Open loop: each request has its time, and waits for nobody; closed: as soon as one is answered.
  const dueMs = (n: number): number =>
    order.perSecond === undefined ? 0 : began + (n * 1000) / order.perSecond
  let next = 0
  const work = async (connection: (typeof opened)[number]): Promise<void> => {
    for (let n = next++; n < requests; n = next++) {
      const call = calls[(firstCall + n) % calls.length]
      if (call === undefined) throw new Error('there is nothing to send')
      const due = dueMs(n)
      if (due > performance.now()) await until(due)
      const sent = due === 0 ? performance.now() : due
      const answer = await connection.send(call.bytes)
      latencies[n] = performance.now() - sent
      const expects = order.expects ?? call.expects
      if (answer.status === order.orStatus) continue
      if (answer.status !== status || !answer.body.includes(expects))
        throw new Error(`a wrong answer: ${answer.status} ${answer.body.slice(0, 300)}`)
      if (pattern !== null) collected.push(pattern.exec(answer.body)?.[1] ?? '')
    }
  }
  await Promise.all(opened.map(work))
  const durationMs = performance.now() - began
  for (const connection of opened) connection.close()
  latencies.sort()
  const quantile = (q: number): number => latencies[Math.floor(requests * q)] ?? 0
  return { durationMs, p50Ms: quantile(0.5), p99Ms: quantile(0.99), collected }
}

/** Timers are a millisecond coarse: the last part of the wait is spent in turns of the loop. */
function until(dueMs: number): Promise<void> {
  return new Promise(resolve => {
    const check = (): void => {
      const leftMs = dueMs - performance.now()
      if (leftMs <= 0) resolve()
      else if (leftMs > 2) setTimeout(check, leftMs - 1)
      else setImmediate(check)
    }
    check()
  })
}
