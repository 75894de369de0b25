import { setTimeout as sleep } from 'node:timers/promises'
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
      const sent = await sendTime(dueMs(n))
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

/**
 * Since when a request counts as sent. It waits for its time by a timer, which leaves the machine to
 * the server and is itself late by up to a millisecond: that is not the server's. Where the
 * connection became free too late, it is: then the request counts from when it was due.
 *
 * @param dueMs 0 for at once.
 */
async function sendTime(dueMs: number): Promise<number> {
  if (dueMs !== 0 && dueMs <= performance.now()) return dueMs
  while (dueMs > performance.now()) await sleep(Math.max(dueMs - performance.now(), 0))
  return performance.now()
}
