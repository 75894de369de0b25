import { expect } from 'vitest'
import { PROBLEMS, type ProblemCode } from '../src/shared/problem.ts'
import type { Answer } from './test-app.ts'
import { TEST_PUBLIC_URL } from './test-node.ts'

/** A problem document with every field that the contract promises; `fields` are those it must name. */
export function expectProblem(answer: Answer, code: ProblemCode, ...fields: string[]): void {
  const { status, title } = PROBLEMS[code]
  expect([answer.status, answer.body?.code]).toEqual([status, code])
  expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8')
  expect(answer.headers['cache-control']).toBe('no-store')
  expect(answer.body).toEqual({
    type: `${TEST_PUBLIC_URL}/docs/errors/${code}`,
    title,
    status,
    code,
    detail: expect.stringMatching(/\S/),
    request_id: answer.headers['x-request-id'],
    ...(status === 400 && { errors: expect.any(Array) }),
  })
  expect(answer.body.request_id).toMatch(/^req_[0-9A-Z]{26}$/)
  if (fields.length === 0) return
  const named = answer.body.errors.map((error: { field: string }) => error.field)
  for (const field of fields) expect(named).toContain(field)
  for (const { message } of answer.body.errors) expect(message).toMatch(/\S/)
}

/** What of two answers may differ though the caller must not be able to tell them apart. */
const OF_THE_REQUEST = ['x-request-id', 'date', 'ratelimit', 'ratelimit-policy', 'content-length']

/** An answer without what names the request itself. */
export function comparable({ status, headers, body }: Answer) {
  const kept = Object.entries(headers).filter(([name]) => !OF_THE_REQUEST.includes(name))
  const isProblem = typeof body === 'object' && body !== null && 'request_id' in body
  return {
    status,
    headers: Object.fromEntries(kept),
    body: isProblem ? { ...body, request_id: null } : body,
  }
}
