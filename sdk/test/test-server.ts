import { once } from 'node:events'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'

export interface SeenRequest {
  method: string
  url: string
  headers: IncomingHttpHeaders
  body: string
}

/** Answers the n-th request, from 0, or leaves it hanging. */
export type Answerer = (response: ServerResponse, request: SeenRequest, n: number) => unknown

export interface TestServer {
  url: string
  requests: SeenRequest[]
  close(): Promise<void>
}

/** A server on loopback that does whatever a test wants, and remembers what it was asked. */
export async function createTestServer(answer: Answerer): Promise<TestServer> {
  const requests: SeenRequest[] = []
  const server = createServer(async (request, response) => {
    const seen = await readRequest(request)
    requests.push(seen)
    await answer(response, seen, requests.length - 1)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function readRequest(request: IncomingMessage): Promise<SeenRequest> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const { method = '', url = '', headers } = request
  return { method, url, headers, body: Buffer.concat(chunks).toString() }
}

/** Answers with JSON. */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}

/** Answers with a problem document. */
export function sendProblem(
  response: ServerResponse,
  status: number,
  code: string,
  headers: Record<string, string> = {},
): void {
  const body = { type: 'about:blank', title: 'A title', status, code, detail: 'A detail.' }
  response.writeHead(status, {
    'content-type': 'application/problem+json',
    'x-request-id': 'req_01K3Z8Q5V7M2N4P6R8S0T1W3X5',
    ...headers,
  })
  response.end(JSON.stringify(body))
}
