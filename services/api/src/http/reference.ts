import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import Fastify, { type FastifyInstance } from 'fastify'
import type { OpenApiDocument } from './openapi-document.ts'

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

/** Swagger UI below /docs, to be asked by `inject`: it listens nowhere. */
export async function createReference(
  readDocument: () => OpenApiDocument,
): Promise<FastifyInstance> {
  const app = Fastify()
  // Swagger UI asks for this plugin by name; the document is ours (openapi-document.ts).
  await app.register(swagger, {
    mode: 'static',
    specification: { document: { openapi: '3.1.0', info: { title: '', version: '' }, paths: {} } },
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: REFERENCE_POLICY,
    uiConfig: { deepLinking: true, tryItOutEnabled: true },
    transformSpecification: readDocument,
    transformSpecificationClone: false,
  })
  await app.ready()
  return app
}
