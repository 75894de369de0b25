import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { PresentedSecret } from '../api-keys/api-key-secret.ts'
import type { ApiKeyService } from '../api-keys/api-keys.service.ts'
import type { Freshness } from '../freshness/freshness.service.ts'
import type { TenantCopy } from '../freshness/tenant-copy.ts'
import type { HeadStart, HeadStarts } from '../http/head-start.ts'
import { type PlainRequest, readPlainRequest, takeBody } from '../http/plain-request.ts'
import type { RateLimiter } from '../http/rate-limit.ts'
import type { RouteDurations } from '../http/request-durations.ts'
import type { RequestFacts, WriteRequestLine } from '../http/request-line.ts'
import type { SecretMemory } from '../http/secret-memory.ts'
import { securityHeaders } from '../http/security-headers.ts'
import { newId } from '../shared/ids.ts'
import type { Verification } from './sessions.schema.ts'
import type { VerifyService } from './verify.service.ts'

export const VERIFY_PATH = '/v1/sessions/verify'

export interface VerifyShortcutDeps {
  apiKeys: Pick<ApiKeyService, 'recognise'>
  freshness: Pick<Freshness, 'current' | 'peek'>
  secrets: Pick<SecretMemory, 'recall'>
  headStarts: HeadStarts
  take: RateLimiter['take']
  verifier: Pick<VerifyService, 'verifyByCopy'>
  /** Of the route. */
  durations: RouteDurations
  noteVerdict(reason: string): void
  writeLine: WriteRequestLine
  publicUrl: string
  isStopping(): boolean
}

/**
 * The way that nearly all verifies take: the steps of the route, in its order, by the same services,
 * without the framework around them, which costs more than they do. It serves what is plain (a key
 * that this connection brought before, an ordinary body, an answer that is certain) and makes no
 * errors: all else goes the long way, as if nobody had looked at it. A test holds the answers of both
 * ways to be the same.
 */
export function createVerifyShortcut(
  deps: VerifyShortcutDeps,
  theLongWay: RequestListener,
): RequestListener {
  const { freshness, headStarts } = deps
  const readAsked = createReader(deps)
  const answer = createAnswer(deps)
  return (request, response) => {
    const asked = readAsked(request, response)
    if (asked === null) {
      theLongWay(request, response)
      return
    }
    const goOn = (headStart: HeadStart): void => {
      headStarts.set(request, headStart)
      theLongWay(request, response)
    }
    const copy = freshness.current(asked.keyTenantId)
    copy.then(
      current => {
        const headStart = answer(asked, current)
        if (headStart !== null) goOn({ copy, ...headStart })
      },
      () => goOn({ copy }),
    )
  }
}

interface Asked extends PlainRequest {
  request: IncomingMessage
  response: ServerResponse
  secret: PresentedSecret
  /** The tenant that the secret names. */
  keyTenantId: string
  beganMs: number
}

/** Null for what goes the long way at once. */
function createReader({ freshness, secrets, isStopping }: VerifyShortcutDeps) {
  return (request: IncomingMessage, response: ServerResponse): Asked | null => {
    if (request.url !== VERIFY_PATH || request.method !== 'POST' || isStopping()) return null
    const plain = readPlainRequest(request.rawHeaders)
    const secret = plain === null ? null : secrets.recall(request.socket, plain.bearer)
    if (plain === null || secret === null) return null
    const { tenantId: keyTenantId, hashText } = secret
    // A key that would have to be looked up: there is a limit on how often one may guess.
    if (keyTenantId === null || !freshness.peek(keyTenantId)?.apiKeys.has(hashText)) return null
    return { ...plain, request, response, secret, keyTenantId, beganMs: performance.now() }
  }
}

// A text of ASCII in which nothing is escaped: there is one way to read it.
const PLAIN_BODY =
  /^[ \t\r\n]*\{[ \t\r\n]*"token"[ \t\r\n]*:[ \t\r\n]*"([ !#-[\]-~]*)"[ \t\r\n]*\}[ \t\r\n]*$/

/** Null when the answer was sent; otherwise what the long way need not do again. */
function createAnswer(deps: VerifyShortcutDeps) {
  const { apiKeys, take, verifier } = deps
  const send = createSender(deps)
  return (asked: Asked, copy: TenantCopy | null): Omit<HeadStart, 'copy'> | null => {
    const { request, bodyBytes, tenantId: named } = asked
    // Whoever has left gets no answer and no line, on either way.
    if (copy === null || copy.status === 'suspended' || request.destroyed) return {}
    const { tenantId, settings } = copy
    const apiKey = apiKeys.recognise(copy, asked.secret)
    if (apiKey === null || !apiKey.scopes.has('sessions:verify')) return {}
    if (named !== null && named !== tenantId) return {}
    const ratePerSecond = settings.rate_limit_per_second
    const verdict = take({ tenantId, apiKeyId: apiKey.id, ratePerSecond })
    if (verdict instanceof Promise || !verdict.isAllowed) return { verdict }
    const { policy, limit } = verdict
    const headers = ['ratelimit-policy', policy, 'ratelimit', limit]
    const serve = (body: string): true | null => {
      const token = PLAIN_BODY.exec(body)?.[1]
      const verification = token === undefined ? null : verifier.verifyByCopy(copy, token)
      if (verification === null) return null
      send(asked, verification, headers, { tenantId, actor: apiKey.id })
      return true
    }
    try {
      return takeBody(request, bodyBytes, serve) === null ? { verdict } : null
    } catch (error) {
      if (asked.response.headersSent) throw error
      // A fault of ours, met again on the long way, which answers and logs it.
      return { verdict }
    }
  }
}

function createSender(deps: VerifyShortcutDeps) {
  const { durations, noteVerdict, writeLine, publicUrl } = deps
  const fixedHeaders = [
    ...Object.entries(securityHeaders(publicUrl)).flat(),
    'content-type',
    'application/json; charset=utf-8',
  ]
  return (
    { response, beganMs }: Asked,
    verification: Verification,
    headers: string[],
    who: Pick<RequestFacts, 'tenantId' | 'actor'>,
  ): void => {
    const requestId = newId('req')
    const body = JSON.stringify(verification)
    const length = String(Buffer.byteLength(body))
    response.writeHead(200, [
      ...fixedHeaders,
      ...headers,
      'x-request-id',
      requestId,
      'content-length',
      length,
    ])
    response.end(body)
    noteVerdict(verification.reason ?? 'valid')
    const durationMs = performance.now() - beganMs
    durations.observe(200, durationMs / 1_000)
    writeLine({ ...FACTS, ...who, requestId, durationMs })
  }
}

const FACTS = { method: 'POST', route: VERIFY_PATH, status: 200, code: null }
