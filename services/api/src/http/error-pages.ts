import { readdirSync, readFileSync } from 'node:fs'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Problem } from '../shared/problem.ts'
import { Type } from '../shared/type.ts'
import { ERROR_PAGES_PATH } from './problem-document.ts'

const PAGES_DIR = new URL('../../../../docs/errors/', import.meta.url)

/** The pages that the `type` of a problem links to, so that the link works on a closed network too. */
export const errorPages: FastifyPluginAsyncTypebox = async app => {
  const pages = readErrorPages()
  app.get(
    `${ERROR_PAGES_PATH}/:code`,
    {
      schema: {
        operationId: 'getErrorPage',
        summary: 'What a problem means and what to do about it',
        tags: ['Service'],
        params: Type.Object(
          { code: Type.String({ pattern: '^[a-z_]{1,64}$', examples: ['session_not_found'] }) },
          { additionalProperties: false },
        ),
        response: {
          200: {
            description: 'The page, as Markdown.',
            content: { 'text/plain': { schema: Type.String() } },
          },
        },
      },
      config: { public: true },
    },
    async (request, reply) => {
      const page = pages.get(request.params.code)
      if (page === undefined) throw new Problem('route_not_found')
      return reply.header('content-type', 'text/plain; charset=utf-8').send(page)
    },
  )
}

/** By code. */
export function readErrorPages(): Map<string, string> {
  const files = readdirSync(PAGES_DIR).filter(name => /^[a-z_]+\.md$/.test(name))
  return new Map(
    files.map(name => [name.slice(0, -3), readFileSync(new URL(name, PAGES_DIR), 'utf8')]),
  )
}
