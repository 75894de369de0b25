import { PROBLEMS, type Problem } from '../shared/problem.ts'
import type { ProblemDocument } from '../shared/schema.ts'

export const PROBLEM_CONTENT_TYPE = 'application/problem+json; charset=utf-8'

/** Where the pages of docs/errors are served, so that `type` is a link that works. */
export const ERROR_PAGES_PATH = '/docs/errors'

/** What the caller gets to see of a problem: RFC 9457, nothing of `internal` and `cause`. */
export function toProblemDocument(
  problem: Problem,
  requestId: string,
  publicUrl: string,
): ProblemDocument {
  const { code, status } = problem
  const { title } = PROBLEMS[code]
  const document: ProblemDocument = {
    type: `${publicUrl}${ERROR_PAGES_PATH}/${code}`,
    title,
    status,
    code,
    detail: problem.detail ?? `${title}.`,
    request_id: requestId,
  }
  if (status === 400) document.errors = problem.errors ?? []
  return document
}
