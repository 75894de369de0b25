import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { SERVICE_TENANT_ID } from '../shared/ids.ts'
import { Problem } from '../shared/problem.ts'
import type { StoredAnswer } from './idempotency.store.ts'
import type { IdempotentRuns, Run } from './idempotent-runs.ts'
import './request-context.ts'
import { isIdempotent } from './route-config.ts'
import './strict-input.ts'

declare module 'fastify' {
  interface FastifyRequest {
    idempotentRun: Run | null
  }
}

export interface IdempotencyOptions {
  runs: IdempotentRuns
}

/**
 * `Idempotency-Key` on every POST and wherever else a route says so: a request that is repeated gets
 * the first answer, and its work is done once. It comes after authentication, limits and validation,
 * and costs nothing without the header. Register it before the routes.
 */
export const idempotency = fp<IdempotencyOptions>(
  async (app, { runs }) => {
    app.decorateRequest('idempotentRun', null)
    app.addHook('onRoute', route => {
      if (!isIdempotent(route.method, route.config)) return
      route.preHandler = appended(
        route.preHandler,
        async (request: FastifyRequest, reply: FastifyReply) => {
          const header = request.headers['idempotency-key']
          if (header !== undefined) await begin(runs, header, request, reply)
        },
      )
      route.onSend = appended(
        route.onSend,
        async (request: FastifyRequest, reply: FastifyReply, payload: unknown) => {
          if (request.idempotentRun !== null)
            await end(request.idempotentRun, request, reply, payload)
        },
      )
    })
  },
  { name: 'idempotency', dependencies: ['strict-input'] },
)

function appended<T>(hooks: T | T[] | undefined, hook: T): T[] {
  return [...(hooks === undefined ? [] : Array.isArray(hooks) ? hooks : [hooks]), hook]
}

const KEY = /^[\x21-\x7e]{1,255}$/

async function begin(
  runs: IdempotentRuns,
  header: string | string[],
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  // Nobody in particular asks, so the key would be shared with everybody.
  if (request.actor === null && request.routeOptions.config.operator !== true) return
  if (typeof header !== 'string' || !KEY.test(header)) throw invalidKey()
  const tenantId = request.actor?.tenantId ?? SERVICE_TENANT_ID
  const started = await runs.begin(tenantId, header, fingerprintOf(request))
  if ('finish' in started) request.idempotentRun = started
  else replay(started, reply)
}

/** Who asks is part of it: an answer can hold what only that key may have. */
function fingerprintOf({ method, url, rawBody, actor }: FastifyRequest): Buffer {
  return createHash('sha256')
    .update(`${actor?.actor ?? 'operator'} ${method} ${url}\n`)
    .update(rawBody ?? '')
    .digest()
}

function replay({ status, contentType, body }: StoredAnswer, reply: FastifyReply): void {
  if (contentType !== null) reply.header('content-type', contentType)
  reply.code(status).header('idempotency-replayed', 'true')
  reply.send(body.length === 0 ? null : body.toString('utf8'))
}

/** Statuses that say "not like this" or "not now": the same key may be used for a better attempt. */
const NOT_FINAL = new Set([400, 401, 403, 408, 429])

async function end(
  run: Run,
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
): Promise<void> {
  request.idempotentRun = null
  const body = toBuffer(payload)
  const { statusCode: status } = reply
  const isFinal = status >= 200 && status < 500 && !NOT_FINAL.has(status)
  try {
    // Before the answer leaves: a caller that has it must get the same one the next time.
    if (isFinal && body !== null) await run.finish({ status, contentType: typeOf(reply), body })
    else await run.release()
  } catch (err) {
    // The work is done, and the caller should know. The claim lapses by itself.
    request.log.warn({ err }, 'the answer could not be kept for its Idempotency-Key')
  }
}

function toBuffer(payload: unknown): Buffer | null {
  if (payload === undefined || payload === null) return Buffer.alloc(0)
  if (typeof payload === 'string') return Buffer.from(payload)
  return Buffer.isBuffer(payload) ? payload : null
}

function typeOf(reply: FastifyReply): string | null {
  const contentType = reply.getHeader('content-type')
  return typeof contentType === 'string' ? contentType : null
}

const invalidKey = (): Problem =>
  new Problem('request_invalid', {
    detail: 'Idempotency-Key is 1 to 255 visible ASCII characters, such as a UUID.',
    errors: [
      { field: 'header.idempotency-key', message: 'must be 1 to 255 visible ASCII characters' },
    ],
  })
