import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CompactSign, calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose'
import type { HostileTokenSource } from '../src/testing/hostile-tokens.ts'

export const TENANT = 'tnt_01K3Z8Q5V7M2N4P6R8S0T1W3X5'
export const SECRET_KEY = 'sk_test_a_key_of_this_test_alone'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** What answers in the place of Sesame, and does whatever a test wants it to. */
export interface FeedService {
  url: string
  issuer: string
  keys: TestKey[]
  /** Requests that came, by the name of the handler. */
  counts: Record<HandlerName, number>
  /** Change one to misbehave. */
  handlers: Record<HandlerName, Handler>
  /** Session ids that verify and get call revoked. */
  revoked: Set<string>
  /** Headers of the requests for the stream. */
  streamHeaders: IncomingMessage['headers'][]
  /** Writes an event to every open stream. */
  send(type: string, data: unknown, id?: number): void
  /** Writes raw bytes to every open stream. */
  write(bytes: string | Uint8Array): void
  /** Ends every stream: in good order, or by a reset. */
  cut(how?: 'end' | 'reset'): void
  openStreams(): number
  until(name: HandlerName, count: number): Promise<void>
  close(): Promise<void>
}

type HandlerName = 'jwks' | 'stream' | 'poll' | 'verify' | 'session'

export interface TestKey {
  kid: string
  jwk: Record<string, unknown>
  sign(claims: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>
  /** What a corpus of hostile tokens is made from. */
  source(token: string): HostileTokenSource
}

export async function createTestKey(): Promise<TestKey> {
  const { publicKey, privateKey } = await generateKeyPair('Ed25519', { extractable: true })
  const { x } = await exportJWK(publicKey)
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: x ?? '', use: 'sig', alg: 'EdDSA' }
  const kid = await calculateJwkThumbprint(jwk)
  return {
    kid,
    jwk: { ...jwk, kid },
    sign: (claims, header = {}) =>
      new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
        .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid, ...header })
        .sign(privateKey),
    source: token => ({
      token,
      privateKey,
      publicJwk: { kty: 'OKP', crv: 'Ed25519', x: jwk.x, kid },
    }),
  }
}

let sessions = 0
export const newSessionId = (): string => `ses_01K3Z8Q5V7${String(++sessions).padStart(16, '0')}`

/** Good claims of a new session; times are in seconds. */
export function claimsFor(issuer: string, given: Record<string, unknown> = {}) {
  const now = Math.floor(Date.now() / 1000)
  return {
    iss: issuer,
    aud: TENANT,
    sub: 'usr_1',
    sid: newSessionId(),
    jti: 'tok_1',
    iat: now,
    exp: now + 900,
    auth_time: now,
    tenant_id: TENANT,
    org_id: null as string | null,
    role: 'member',
    amr: ['pwd'],
    mfa_verified: false,
    client_id: null as string | null,
    gen: 3,
    ...given,
  }
}

export const inSeconds = (seconds: number): string =>
  new Date(Date.now() + seconds * 1000).toISOString()

export const sessionRevoked = (sessionId: string, seq = 1) => ({
  seq,
  type: 'session_revoked',
  session_id: sessionId,
  forget_after: inSeconds(900),
})

export const sessionsRevoked = (filters: Record<string, unknown>, seq = 1) => ({
  seq,
  type: 'sessions_revoked',
  session_id: null,
  user_id: null,
  org_id: null,
  app_id: null,
  except_session_id: null,
  generation: 4,
  forget_after: inSeconds(900),
  ...filters,
})

export async function startFeedService(): Promise<FeedService> {
  const streams = new Set<ServerResponse>()
  const counts = { jwks: 0, stream: 0, poll: 0, verify: 0, session: 0 }
  const arrivals = new Set<() => void>()
  /** A verifier that reconnects meanwhile, as on a busy machine, must find what was sent. */
  const log: { type: string; data: unknown; id: number }[] = []
  const revoked = new Set<string>()
  const keys = [await createTestKey()]
  const streamHeaders: IncomingMessage['headers'][] = []

  const handlers: Record<HandlerName, Handler> = {
    jwks: (_, response) => json(response, 200, { keys: keys.map(({ jwk }) => jwk) }),
    stream(request, response) {
      openStream(request, response)
      const after = Number(request.headers['last-event-id'] ?? 0)
      for (const { type, data, id } of log) if (id > after) event(response, type, data, id)
      const head = Math.max(after, ...log.map(({ id }) => id))
      event(response, 'synced', { seq: head }, head)
    },
    poll: (_, response) =>
      json(response, 200, {
        object: 'list',
        data: [],
        has_more: false,
        next_after: 0,
        reset: false,
      }),
    verify: async (request, response) => {
      const { token } = JSON.parse(await readBody(request))
      const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString())
      json(
        response,
        200,
        revoked.has(claims.sid)
          ? { valid: false, reason: 'session_revoked' }
          : { valid: true, ...answerFor(claims) },
      )
    },
    session(request, response) {
      const id = request.url?.split('/').at(-1) ?? ''
      json(response, 200, { id, status: revoked.has(id) ? 'revoked' : 'active' })
    },
  }

  const openStream: Handler = (request, response) => {
    streamHeaders.push(request.headers)
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
    response.write('retry: 100\n\n')
    streams.add(response)
    response.on('close', () => streams.delete(response))
  }

  const server = createServer((request, response) => {
    const name = nameOf(request.url ?? '')
    counts[name]++
    for (const arrived of arrivals) arrived()
    response.on('error', () => {})
    handlers[name](request, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  return {
    url,
    issuer: `${url}/t/${TENANT}`,
    keys,
    counts,
    handlers,
    revoked,
    streamHeaders,
    send(type, data, id) {
      if (id !== undefined && type !== 'synced') log.push({ type, data, id })
      for (const stream of streams) event(stream, type, data, id)
    },
    write(bytes) {
      for (const stream of streams) stream.write(bytes)
    },
    cut(how = 'end') {
      for (const stream of streams) how === 'end' ? stream.end() : stream.socket?.resetAndDestroy()
    },
    openStreams: () => streams.size,
    until: (name, count) =>
      new Promise(resolve => {
        const arrived = () => {
          if (counts[name] < count) return
          arrivals.delete(arrived)
          resolve()
        }
        arrivals.add(arrived)
        arrived()
      }),
    async close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

export function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

export function event(response: ServerResponse, type: string, data: unknown, id?: number): void {
  const idLine = id === undefined ? '' : `id: ${id}\n`
  response.write(`${idLine}event: ${type}\ndata: ${JSON.stringify(data)}\n\n`)
}

async function readBody(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text
}

function nameOf(path: string): HandlerName {
  if (path.startsWith('/v1/revocations/stream')) return 'stream'
  if (path.startsWith('/v1/revocations')) return 'poll'
  if (path.startsWith('/v1/sessions/verify')) return 'verify'
  if (path.startsWith('/v1/sessions/')) return 'session'
  return 'jwks'
}

const answerFor = (claims: Record<string, unknown>) => ({
  session_id: claims.sid,
  user_id: claims.sub,
  tenant_id: claims.tenant_id,
  org_id: claims.org_id,
  app_id: claims.client_id,
  role: claims.role,
  amr: claims.amr,
  mfa_verified: claims.mfa_verified,
  auth_time: new Date(Number(claims.auth_time) * 1000).toISOString(),
  issued_at: new Date(Number(claims.iat) * 1000).toISOString(),
  expires_at: new Date(Number(claims.exp) * 1000).toISOString(),
})
