import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { Type } from 'typebox'
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

// The reference shows itself and nothing else: no script or style of another origin, none written
// into the page. The icons of Swagger UI are data URLs.
const REFERENCE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

async function reference(app: FastifyInstance, { basePath }: { basePath: string }): Promise<void> {
  app.addHook('onRoute', route => {
    route.config = { ...route.config, public: true, quiet: true }
  })
  // Swagger UI asks for this plugin by name; the document is ours (openapi-document.ts).
  await app.register(swagger, {
    mode: 'static',
    specification: { document: { openapi: '3.1.0', info: { title: '', version: '' }, paths: {} } },
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: REFERENCE_POLICY,
    uiConfig: { deepLinking: true, tryItOutEnabled: true },
    // Tried out at the address that it is read at, which a tunnel or a proxy may have changed.
    transformSpecification: () => ({ ...app.openApiDocument(), servers: [{ url: basePath }] }),
    transformSpecificationClone: false,
  })
}
