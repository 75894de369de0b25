import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { actorOf } from '../http/request-context.ts'
import { Page } from '../shared/schema.ts'
import { Type } from '../shared/type.ts'
import {
  CreateSession,
  ListSessionsQuery,
  MAX_VERIFY_BODY_BYTES,
  RevokedCount,
  RevokeSessionQuery,
  RevokeSessionsQuery,
  Session,
  SessionParams,
  SessionTokens,
  UpdateSession,
  Verification,
  VerifyToken,
} from './sessions.schema.ts'
import type { SessionService } from './sessions.service.ts'
import type { VerifyService } from './verify.service.ts'

export interface SessionRoutesOptions {
  sessions: SessionService
  verifier: VerifyService
  /** Told of each verdict, for the metrics. */
  noteVerdict(reason: string): void
}

export const sessionRoutes: FastifyPluginAsyncTypebox<SessionRoutesOptions> = async (
  app,
  { sessions, verifier, noteVerdict },
) => {
  const tags = ['Sessions']
  const read = { scope: 'sessions:read' } as const
  const write = { scope: 'sessions:write' } as const

  app.post(
    '/sessions/verify',
    {
      schema: {
        operationId: 'verifyToken',
        summary: 'Is this access token good now?',
        description:
          'Every revocation that was answered before this request arrived counts, on every node. ' +
          'An Idempotency-Key changes nothing: the answer is always made afresh.',
        tags,
        body: VerifyToken,
        response: { 200: Verification },
      },
      bodyLimit: MAX_VERIFY_BODY_BYTES,
      config: { scope: 'sessions:verify', idempotent: false },
    },
    async request => {
      const verification = await verifier.verify(actorOf(request).tenant, request.body.token)
      noteVerdict(verification.reason ?? 'valid')
      return verification
    },
  )

  app.post(
    '/sessions',
    {
      schema: {
        operationId: 'createSession',
        summary: 'Begin a session for a user who has just signed in',
        tags,
        body: CreateSession,
        response: { 201: SessionTokens },
      },
      config: write,
    },
    async (request, reply) =>
      reply.code(201).send(await sessions.create(actorOf(request), request.body)),
  )

  app.get(
    '/sessions',
    {
      schema: {
        operationId: 'listSessions',
        summary: 'Sessions, newest first',
        tags,
        querystring: ListSessionsQuery,
        response: { 200: Page(Session) },
      },
      config: read,
    },
    request => sessions.list(actorOf(request).tenantId, request.query),
  )

  app.delete(
    '/sessions',
    {
      schema: {
        operationId: 'revokeSessions',
        summary: 'Revoke many sessions at once',
        description:
          'With no filter, all of the tenant. The count is exact, and each counts once. Repeat it ' +
          'with its Idempotency-Key, or it also ends the sessions that began in between.',
        tags,
        querystring: RevokeSessionsQuery,
        response: { 200: RevokedCount },
      },
      config: { ...write, idempotent: true },
    },
    async request => ({ revoked: await sessions.revokeAll(actorOf(request), request.query) }),
  )

  app.get(
    '/sessions/:sessionId',
    {
      schema: {
        operationId: 'getSession',
        summary: 'One session',
        tags,
        params: SessionParams,
        response: { 200: Session },
      },
      config: read,
    },
    request => sessions.get(actorOf(request).tenantId, request.params.sessionId),
  )

  app.patch(
    '/sessions/:sessionId',
    {
      schema: {
        operationId: 'updateSession',
        summary: 'Change metadata, role or organisation of an active session',
        description:
          'Metadata is replaced as a whole. Verify answers with the new role and organisation at ' +
          'once; tokens that were already issued keep theirs until the next refresh.',
        tags,
        params: SessionParams,
        body: UpdateSession,
        response: { 200: Session },
      },
      config: write,
    },
    request => sessions.update(actorOf(request), request.params.sessionId, request.body),
  )

  app.delete(
    '/sessions/:sessionId',
    {
      schema: {
        operationId: 'revokeSession',
        summary: 'Revoke one session: refused everywhere from the moment this answers',
        tags,
        params: SessionParams,
        querystring: RevokeSessionQuery,
        response: { 204: Type.Null({ description: 'Ended, now or before.' }) },
      },
      config: write,
    },
    async (request, reply) => {
      const { sessionId } = request.params
      await sessions.revoke(actorOf(request), sessionId, request.query.reason)
      return reply.code(204).send(null)
    },
  )
}
