import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import express from 'express'
import Fastify, { type FastifyRequest } from 'fastify'
import { Hono } from 'hono'
import * as forExpress from '../src/express.ts'
import * as forFastify from '../src/fastify.ts'
import * as forHono from '../src/hono.ts'
import type { Verify } from '../src/middleware/options.ts'
import * as forNext from '../src/next.ts'
import * as forNode from '../src/node.ts'
import type { VerifiedSession } from '../src/verifier/verification.ts'

/** The same app in every framework: what each path demands. */
export const DEMANDS = {
  '/me': {},
  '/admin': { requireRole: ['admin', 'owner'] },
  '/mfa': { requireMfa: true },
  '/recent': { maxAuthAgeSeconds: 60 },
  '/strict': { requireMfa: true, maxAuthAgeSeconds: 60, requireRole: 'admin', realm: 'bank' },
} as const
const PATHS = Object.entries(DEMANDS)

export interface RunningApp {
  url: string
  close(): Promise<unknown>
}

export type StartApp = (verify: Verify) => Promise<RunningApp>

const answer = (session: VerifiedSession | null) => ({ userId: session?.userId ?? null })
const broken = (): never => {
  throw new Error('a bug in a handler')
}
const cookieOf = (header: string | null | undefined): string | null =>
  /(?:^|; )access_token=([^;]+)/.exec(header ?? '')?.[1] ?? null

export const FRAMEWORKS: Record<string, StartApp> = {
  async express(verify) {
    const { requireSession, sessionOf } = forExpress
    const app = express()
    for (const [path, demands] of PATHS)
      app.all(path, requireSession(verify, demands), (req, res) => {
        res.json(answer(sessionOf(req)))
      })
    app.get('/optional', requireSession(verify, { optional: true }), (req, res) => {
      res.json(answer(req.auth ?? null))
    })
    const getToken = (req: express.Request) => cookieOf(req.headers.cookie)
    app.get('/cookie', requireSession(verify, { getToken }), (req, res) => {
      res.json(answer(sessionOf(req)))
    })
    app.get('/broken', requireSession(verify), broken)
    // Express knows an error handler by its four parameters.
    app.use(
      (_error: unknown, _req: express.Request, res: express.Response, _next: () => void): void => {
        res.status(500).json({ handledBy: 'express' })
      },
    )
    return listen(createServer(app))
  },

  async fastify(verify) {
    const { requireSession, sessionOf, sessionPlugin } = forFastify
    const app = Fastify()
    for (const [path, demands] of PATHS)
      app.all(path, { onRequest: requireSession(verify, demands) }, request =>
        answer(sessionOf(request)),
      )
    app.register(async scope => {
      await scope.register(sessionPlugin, { verify, optional: true })
      scope.get('/optional', request => answer(request.auth ?? null))
    })
    const getToken = (request: FastifyRequest) => cookieOf(request.headers.cookie)
    app.get('/cookie', { preHandler: requireSession(verify, { getToken }) }, request =>
      answer(sessionOf(request)),
    )
    app.get('/broken', { onRequest: requireSession(verify) }, broken)
    app.setErrorHandler((_error, _request, reply) => reply.code(500).send({ handledBy: 'fastify' }))
    return { url: await app.listen({ host: '127.0.0.1', port: 0 }), close: () => app.close() }
  },

  async hono(verify) {
    const { requireSession } = forHono
    const app = new Hono()
    for (const [path, demands] of PATHS)
      app.all(path, requireSession(verify, demands), c => c.json(answer(c.get('session'))))
    app.get('/optional', requireSession(verify, { optional: true }), c =>
      c.json(answer(c.get('session'))),
    )
    const fromCookie = requireSession(verify, { getToken: c => cookieOf(c.req.header('cookie')) })
    app.get('/cookie', fromCookie, c => c.json(answer(forHono.sessionOf(c))))
    app.get('/broken', requireSession(verify), broken)
    app.onError((_error, c) => c.json({ handledBy: 'hono' }, 500))
    return serveWeb(app.fetch)
  },

  async next(verify) {
    const { withSession } = forNext
    const routes: Record<string, (request: Request, context: object) => Promise<Response>> = {
      '/optional': withSession(verify, (_, session) => Response.json(answer(session)), {
        optional: true,
      }),
      '/cookie': withSession(verify, (_, session) => Response.json(answer(session)), {
        getToken: request => cookieOf(request.headers.get('cookie')),
      }),
      '/broken': withSession(verify, broken),
    }
    for (const [path, demands] of PATHS)
      routes[path] = withSession(verify, (_, session) => Response.json(answer(session)), demands)
    return serveWeb(async request => {
      try {
        return (await routes[new URL(request.url).pathname]?.(request, {})) ?? Response.error()
      } catch {
        return Response.json({ handledBy: 'next' }, { status: 500 })
      }
    })
  },

  async node(verify) {
    const { requireSession, sessionOf } = forNode
    const onError = (): void => {}
    const send = (response: ServerResponse, session: VerifiedSession | null): void => {
      response.setHeader('content-type', 'application/json').end(JSON.stringify(answer(session)))
    }
    type Listener = (request: IncomingMessage, response: ServerResponse) => Promise<void>
    const routes: Record<string, Listener> = {
      '/optional': requireSession(verify, (_, response, session) => send(response, session), {
        optional: true,
      }),
      '/cookie': requireSession(verify, (request, response) => send(response, sessionOf(request)), {
        getToken: request => cookieOf(request.headers.cookie),
      }),
      '/broken': requireSession(verify, broken, { onError }),
    }
    for (const [path, demands] of PATHS)
      routes[path] = requireSession(verify, (_, response, session) => send(response, session), {
        ...demands,
        onError,
      })
    return listen(
      createServer(async (request, response) => {
        await routes[request.url ?? '']?.(request, response)
      }),
    )
  },
}

async function listen(server: Server): Promise<RunningApp> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise(resolve => {
        server.close(resolve)
        server.closeAllConnections()
      }),
  }
}

function serveWeb(fetch: (request: Request) => Response | Promise<Response>): Promise<RunningApp> {
  return new Promise(resolve => {
    const server = serve({ fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) =>
      resolve({
        url: `http://127.0.0.1:${port}`,
        close: () => new Promise(closed => server.close(closed)),
      }),
    )
  })
}
