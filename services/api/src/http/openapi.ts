import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { Type } from '../shared/type.ts'
import { createOpenApiDocument, type OpenApiDocument } from './openapi-document.ts'
import './route-config.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The document of all routes; complete once the server is ready. */
    openApiDocument(): OpenApiDocument
  }
}

export interface OpenApiOptions {
  publicUrl: string
  /** Schemas to be named in the document, such as `{ Session, Tenant }`. */
  schemas?: Readonly<Record<string, object>>
}

/**
 * `GET /openapi.json`, and at /docs a reference to read and try, all of it served from here.
 * Register it before the routes: it listens to them coming.
 */
export const openApi = fp<OpenApiOptions>(
  async (app, { publicUrl, schemas = {} }) => {
    const routes: RouteOptions[] = []
    let document: OpenApiDocument | undefined
    let text = ''
    app.decorate('openApiDocument', () => {
      document ??= createOpenApiDocument({ publicUrl, routes, schemas })
      return document
    })
    app.addHook('onRoute', route => {
      if (isDocumented(route)) routes.push(route)
    })
    app.get('/openapi.json', { schema: DOCUMENT_SCHEMA, config: { public: true } }, (_, reply) => {
      text ||= JSON.stringify(app.openApiDocument())
      return reply.header('content-type', 'application/json; charset=utf-8').send(text)
    })
    await app.register(reference, { basePath: new URL(publicUrl).pathname })
  },
  { name: 'openapi' },
)

/** The HEAD that Fastify adds to each GET goes without saying. */
const isDocumented = ({ method, schema }: RouteOptions): boolean =>
  method !== 'HEAD' && schema !== undefined && schema.hide !== true

const DOCUMENT_SCHEMA = {
  operationId: 'getOpenApiDocument',
  summary: 'This document',
  tags: ['Service'],
  response: {
    200: {
      description: 'OpenAPI 3.1.',
      content: { 'application/json': { schema: Type.Object({}, { additionalProperties: true }) } },
    },
  },
}

const REFERENCE_PATHS = [
  '/docs',
  '/docs/',
  '/docs/json',
  '/docs/yaml',
  '/docs/static/index.html',
  '/docs/static/swagger-initializer.js',
  '/docs/static/*',
]

/**
 * The routes of Swagger UI, which is loaded by the first request to one of them: with what it needs
 * it is 100 files, 6 % of a start, and most nodes never show it.
 */
async function reference(app: FastifyInstance, { basePath }: { basePath: string }): Promise<void> {
  let loaded: Promise<FastifyInstance> | undefined
  const load = async () => {
    const { createReference } = await import('./reference.ts')
    // Tried out at the address that it is read at, which a tunnel or a proxy may have changed.
    return createReference(() => ({ ...app.openApiDocument(), servers: [{ url: basePath }] }))
  }
  const serve = async ({ url, headers }: FastifyRequest, reply: FastifyReply) => {
    loaded ??= load()
    const ask = { url, headers: ifChanged(headers), payloadAsStream: true }
    const answer = await (await loaded).inject(ask)
    if (answer.statusCode >= 500) throw new Error(`the reference answered ${answer.statusCode}`)
    if (answer.statusCode >= 400) return reply.callNotFound()
    const { connection, date, ...kept } = answer.headers
    const body = answer.stream()
    // Who goes away early leaves no file open.
    body.once('close', () => answer.raw.res.destroy())
    return reply.code(answer.statusCode).headers(kept).send(body)
  }
  const config = { public: true, quiet: true } as const
  for (const path of REFERENCE_PATHS) app.get(path, { schema: { hide: true }, config }, serve)
}

/** All that Swagger UI needs to know of a request. */
function ifChanged(headers: FastifyRequest['headers']): Record<string, string> {
  const names = ['if-none-match', 'if-modified-since'] as const
  return Object.fromEntries(names.flatMap(name => (headers[name] ? [[name, headers[name]]] : [])))
}
