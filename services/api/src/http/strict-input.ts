import type {} from '@fastify/swagger'
import type { FastifyRequest, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { Problem } from '../shared/problem.ts'
import { Type } from '../shared/type.ts'
import { isFormType, parseForm } from './form-body.ts'
import { isJsonType, parseJson } from './json-body.ts'
import { checkRequest } from './request-checks.ts'
import './route-config.ts'
import { createRequestValidatorCompiler } from './request-validator.ts'
import { createResponseSerializerCompiler } from './response-serializer.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The body as it came, kept only for requests with an `Idempotency-Key`. */
    rawBody: Buffer | null
  }
}

/**
 * Nothing enters that a route has not asked for: no unknown field or parameter, no value of another
 * type, no body where none belongs, nothing that two readers could understand in two ways.
 * Register it before authentication and before any route.
 */
export const strictInput = fp(
  async app => {
    app.decorateRequest('rawBody', null)
    app.setValidatorCompiler(createRequestValidatorCompiler())
    app.setSerializerCompiler(createResponseSerializerCompiler())
    app.addHook('onRequest', (request, _reply, done) => {
      checkRequest(request.raw)
      done()
    })
    app.addHook('onRoute', route => {
      refuseUnknownParameters(route)
      refuseUnreadBody(route)
    })
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('application/json', { parseAs: 'buffer' }, parseBody)
    app.addContentTypeParser(FORM, { parseAs: 'buffer' }, parseFormBody)
  },
  { name: 'strict-input' },
)

const NO_PARAMETERS = Type.Object({}, { additionalProperties: false })

/** A filter on a route that has none must not be passed over: it could mean "delete only these". */
function refuseUnknownParameters(route: RouteOptions): void {
  if (route.schema === undefined || route.schema.hide === true) return
  route.schema.querystring ??= NO_PARAMETERS
}

/** Fastify never looks at the body of a GET. */
function refuseUnreadBody(route: RouteOptions): void {
  const methods = typeof route.method === 'string' ? [route.method] : route.method
  if (!methods.some(method => method === 'GET' || method === 'HEAD')) return
  const hooks = route.onRequest ?? []
  route.onRequest = [
    ...(Array.isArray(hooks) ? hooks : [hooks]),
    (request: FastifyRequest, _reply: unknown, done: () => void) => {
      if (hasBody(request)) throw bodyNotTaken()
      done()
    },
  ]
}

const hasBody = ({ headers }: FastifyRequest): boolean =>
  headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'

function parseBody(
  request: FastifyRequest,
  body: Buffer,
  done: (error: Error | null, body?: unknown) => void,
): void {
  const { headers } = request
  if (request.is404) {
    done(null, undefined)
    return
  }
  if (
    request.routeOptions.config.form === true ||
    !isJsonType(headers['content-type']) ||
    (headers['content-encoding'] ?? IDENTITY) !== IDENTITY
  )
    throw new Problem('content_type_unsupported', {
      detail: 'Send JSON in UTF-8, with the header "Content-Type: application/json", not encoded.',
      headers: { accept: 'application/json' },
    })
  if (headers['idempotency-key'] !== undefined) request.rawBody = body
  done(null, takesBody(request) ? parseJson(body) : expectNothing(body))
}

const FORM = 'application/x-www-form-urlencoded'

/** Only where an RFC asks for it; everywhere else a form is as wrong as any other type. */
function parseFormBody(
  request: FastifyRequest,
  body: Buffer,
  done: (error: Error | null, body?: unknown) => void,
): void {
  if (request.is404) {
    done(null, undefined)
    return
  }
  const isForm = request.routeOptions.config.form === true
  if (!isForm || !isFormType(request.headers['content-type']))
    throw new Problem('content_type_unsupported', {
      detail: isForm
        ? 'Send a form: "Content-Type: application/x-www-form-urlencoded".'
        : 'Send JSON in UTF-8, with the header "Content-Type: application/json", not encoded.',
    })
  done(null, parseForm(body))
}

const IDENTITY = 'identity'

const takesBody = (request: FastifyRequest): boolean =>
  request.routeOptions.schema?.body !== undefined

/** Many clients send `{}`, or the header of a body alone, with every POST and DELETE. */
function expectNothing(body: Buffer): undefined {
  if (body.length === 0) return undefined
  if (JSON.stringify(parseJson(body)) !== '{}') throw bodyNotTaken()
  return undefined
}

const bodyNotTaken = (): Problem =>
  new Problem('request_invalid', {
    detail: 'This route takes no body.',
    errors: [{ field: 'body', message: 'must be left out' }],
  })
