import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Problem } from '../shared/problem.ts'
import { toProblem } from './error-mapping.ts'
import { collectKnownPaths } from './known-paths.ts'
import { PROBLEM_CONTENT_TYPE, toProblemDocument } from './problem-document.ts'
import { drainRefusedBody } from './refused-body.ts'
import { securityHeaders } from './security-headers.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The problem that the request was answered with, for the log and the metrics. */
    problem: Problem | null
  }
}

export interface ProblemHandlerOptions {
  /** Public base of the service, without a slash at the end. */
  publicUrl: string
}

/** Renders every error as a problem document. Register it before any route. */
export const problemHandler = fp<ProblemHandlerOptions>(
  async (app, { publicUrl }) => {
    const knownPaths = collectKnownPaths(app)
    app.decorateRequest('problem', null)

    app.setErrorHandler((error, request, reply) => {
      const problem = toProblem(error)
      logProblem(problem, request)
      return sendProblem(problem, request, reply, publicUrl)
    })

    app.setNotFoundHandler((request, reply) => {
      const path = request.url.split('?', 1)[0] ?? ''
      const methods = knownPaths.methodsOf(path)
      const problem = methods.length === 0 ? routeNotFound() : methodNotAllowed(methods)
      return sendProblem(problem, request, reply, publicUrl)
    })
  },
  { name: 'problem-handler' },
)

/** For URLs that the router cannot read: no hook of ours runs before this. */
export function createFrameworkErrorHandler(publicUrl: string) {
  const headers = securityHeaders(publicUrl)
  return (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void => {
    reply.headers(headers).header('x-request-id', request.id)
    sendProblem(toProblem(error), request, reply, publicUrl)
  }
}

function sendProblem(
  problem: Problem,
  request: FastifyRequest,
  reply: FastifyReply,
  publicUrl: string,
): FastifyReply {
  request.problem = problem
  // What the route had said about the answer it did not get to give.
  reply.removeHeader('etag').removeHeader('connection').header('cache-control', 'no-store')
  // RFC 9110, 15.5.2: a 401 names the way to authenticate.
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer')
  if (problem.headers !== undefined) reply.headers(problem.headers)
  if (!request.raw.complete) drainRefusedBody(request.raw)
  return reply
    .code(problem.status)
    .header('content-type', PROBLEM_CONTENT_TYPE)
    .send(JSON.stringify(toProblemDocument(problem, request.id, publicUrl)))
}

/** The stack of a 500 is written here, once; what a caller did wrong is in the request's own line. */
function logProblem(problem: Problem, request: FastifyRequest): void {
  const { status, cause } = problem
  if (status === 503 && cause !== undefined) request.log.warn({ err: cause }, 'not available')
  else if (status >= 500 && status !== 503)
    request.log.error({ err: cause ?? problem }, 'request failed')
}

// Neither repeats the URL: it may hold a secret, and it is the caller's text, not ours.
const routeNotFound = () =>
  new Problem('route_not_found', { detail: 'Check the path against /docs.' })

const methodNotAllowed = (methods: string[]) =>
  new Problem('method_not_allowed', {
    detail: `The path takes ${methods.join(', ')}.`,
    headers: { allow: methods.join(', ') },
  })
