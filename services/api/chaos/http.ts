import { Agent, request } from 'node:http'

export interface Answer {
  /** 0 when no answer came. */
  status: number
  body: Body
  /** Why no answer came. */
  error: string
}

/** What the chaos test reads of any answer. */
export interface Body {
  valid?: boolean
  reason?: string
  code?: string
  access_token?: string
  refresh_token?: string
  session?: { id: string }
  tenant?: { id: string }
  api_key?: { id: string; secret: string }
  id?: string
  secret?: string
}

export interface Call {
  method: 'POST' | 'PATCH' | 'DELETE'
  path: string
  key: string
  tenantId?: string
  body?: unknown
}

export interface HttpClient {
  send(url: string, call: Call): Promise<Answer>
  close(): void
}

export function createHttpClient(timeoutMs: number): HttpClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 })
  let calls = 0
  return {
    async send(url, call) {
      calls++
      try {
        return await exchange(agent, url, call, timeoutMs, addressOf(calls))
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
        return { status: 0, body: {}, error: code }
      }
    },
    close: () => agent.destroy(),
  }
}

// Each call comes from an address of its own. From a single one the many refused keys of this test
// would be slowed down as guessing, and a 429 would hide what the node knows.
const addressOf = (n: number): string => `10.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255 || 1}`

function exchange(
  agent: Agent,
  url: string,
  { method, path, key, tenantId, body }: Call,
  timeoutMs: number,
  address: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? '' : JSON.stringify(body)
    const headers = {
      authorization: `Bearer ${key}`,
      'x-forwarded-for': address,
      ...(tenantId !== undefined && { 'x-tenant-id': tenantId }),
      ...(body !== undefined && {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
      }),
    }
    const signal = AbortSignal.timeout(timeoutMs)
    const outgoing = request(url + path, { method, agent, headers, signal }, incoming => {
      const chunks: Buffer[] = []
      incoming.on('data', chunk => chunks.push(chunk))
      incoming.on('error', reject)
      incoming.on('end', () => {
        const received = Buffer.concat(chunks).toString()
        const status = incoming.statusCode ?? 0
        resolve({ status, body: received === '' ? {} : JSON.parse(received), error: '' })
      })
    })
    outgoing.on('error', reject)
    outgoing.end(text)
  })
}
