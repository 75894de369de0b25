import { onTestFinished } from 'vitest'
import { createEventStreams } from '../src/client/event-stream.ts'
import { createTransport, type TransportSeams } from '../src/client/transport.ts'
import type { TransportConfig } from '../src/client/wire-request.ts'
import { Revocations } from '../src/resources/revocations.ts'
import { Sessions } from '../src/resources/sessions.ts'
import { TEST_SESSION, testSecretKey } from './test-keys.ts'
import { type Answerer, createTestServer, sendJson, type TestServer } from './test-server.ts'

export interface TestClient {
  sessions: Sessions
  revocations: Revocations
  server: TestServer
  secretKey: string
  /** How long it waited before each further attempt, in milliseconds; no time passes. */
  waits: number[]
}

/** A client without chance or waiting, against a server that does what the running test wants. */
export async function against(
  answer: Answerer,
  config: Partial<TransportConfig> = {},
  changes: Partial<TransportSeams> = {},
): Promise<TestClient> {
  const server = await createTestServer(answer)
  onTestFinished(() => server.close())
  const secretKey = testSecretKey()
  const waits: number[] = []
  const seams: TransportSeams = {
    maxSilenceMs: 15_000,
    random: () => 0.5,
    sleep: async (delayMs, signal) => {
      signal?.throwIfAborted()
      waits.push(delayMs)
    },
    ...changes,
  }
  const all: TransportConfig = {
    secretKey,
    baseUrl: server.url,
    tenantId: undefined,
    timeoutMs: 10_000,
    maxRetries: 2,
    fetch: globalThis.fetch,
    userAgent: 'sesame-sdk/test',
    ...config,
  }
  const send = createTransport(all, seams)
  const revocations = new Revocations(send, createEventStreams(all, seams))
  return { sessions: new Sessions(send), revocations, server, secretKey, waits }
}

/** Answers well to whatever a test of the client asks. */
export const answerWell: Answerer = (response, request) =>
  request.method === 'DELETE'
    ? response.writeHead(204).end()
    : sendJson(response, 200, { ...TEST_TOKENS, ...TEST_SESSION })

const TEST_TOKENS = {
  session: TEST_SESSION,
  access_token: 'a',
  refresh_token: 'r',
  token_type: 'Bearer',
  expires_in: 900,
}

/** Fails so many times by `fail`, then answers well. */
export const afterFailures =
  (count: number, fail: Answerer): Answerer =>
  (response, request, n) =>
    (n < count ? fail : answerWell)(response, request, n)
