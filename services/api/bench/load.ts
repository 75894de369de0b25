import { Agent, request } from 'node:http'

export interface Call {
  path: string
  headers: Record<string, string>
  body: string
}

export interface Load {
  requests: number
  durationMs: number
  /** In milliseconds. */
  p50: number
  p99: number
}

/** Sends `requests` calls over `connections` kept-open connections, and checks every answer. */
export async function runLoad(
  url: string,
  calls: (n: number) => Call,
  check: (status: number, body: string) => boolean,
  { requests, connections }: { requests: number; connections: number },
): Promise<Load> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const latencies: number[] = []
  let next = 0
  const began = performance.now()
  const worker = async (): Promise<void> => {
    while (next < requests) {
      const call = calls(next++)
      const sent = performance.now()
      const { status, body } = await send(url, call, agent)
      latencies.push(performance.now() - sent)
      if (!check(status, body)) throw new Error(`a wrong answer: ${status} ${body.slice(0, 200)}`)
    }
  }
  await Promise.all(Array.from({ length: connections }, worker))
  const durationMs = performance.now() - began
  agent.destroy()
  latencies.sort((a, b) => a - b)
  const quantile = (q: number): number => latencies[Math.floor(latencies.length * q)] ?? 0
  return { requests, durationMs, p50: quantile(0.5), p99: quantile(0.99) }
}

function send(url: string, { path, headers, body }: Call, agent: Agent) {
  return new Promise<{ status: number; body: string }>((resolve, reject) => {
    const length = String(Buffer.byteLength(body))
    const outgoing = request(
      url + path,
      {
        method: 'POST',
        agent,
        headers: { 'content-type': 'application/json', 'content-length': length, ...headers },
      },
      incoming => {
        const chunks: Buffer[] = []
        incoming.on('data', chunk => chunks.push(chunk))
        incoming.on('error', reject)
        incoming.on('end', () =>
          resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
        )
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}
