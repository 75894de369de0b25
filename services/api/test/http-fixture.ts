import { Writable } from 'node:stream'
import Fastify, { type FastifyInstance } from 'fastify'
import { createLogger } from '../src/http/logging.ts'
import { problemHandler } from '../src/http/problem-handler.ts'
import { createRequestLine } from '../src/http/request-line.ts'
import { securityHeadersPlugin } from '../src/http/security-headers.ts'
import { createServerOptions } from '../src/http/server-options.ts'
import { strictInput } from '../src/http/strict-input.ts'

export const PUBLIC_URL = 'https://sesame.example'

export interface HttpFixture {
  app: FastifyInstance
  /** Every log line so far. */
  lines: string[]
}

/** A server with the plugins of this folder and no feature, for its tests. */
export async function createHttpFixture(
  addRoutes: (app: FastifyInstance) => void | Promise<void>,
  level = 'info',
): Promise<HttpFixture> {
  const lines: string[] = []
  const destination = new Writable({
    decodeStrings: false,
    write(line, _encoding, done) {
      lines.push(String(line))
      done()
    },
  })
  const logger = createLogger({ level, destination })
  const app: FastifyInstance = Fastify(
    createServerOptions({
      publicUrl: PUBLIC_URL,
      logger,
      trustProxy: false,
      writeLine: createRequestLine(logger),
    }),
  )
  await app.register(securityHeadersPlugin, { publicUrl: PUBLIC_URL })
  await app.register(problemHandler, { publicUrl: PUBLIC_URL })
  await app.register(strictInput)
  app.decorateRequest('actor', null)
  await addRoutes(app)
  await app.ready()
  return { app, lines }
}
