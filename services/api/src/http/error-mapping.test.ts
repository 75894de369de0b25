import { expect, it } from 'vitest'
import { toProblem } from './error-mapping.ts'

const prismaError = (code: string, message: string) => Object.assign(new Error(message), { code })

it.each([
  ['P2039', 'Database error. Code: `57P01`. Message: `terminating connection`'],
  ['P2010', 'Raw query failed. Code: `57P03`. Message: `the database system is starting up`'],
  ['P2010', 'Raw query failed. Code: `08006`. Message: `connection failure`'],
])('what Prisma says in %s of a Postgres that went away is a 503', (code, message) => {
  const problem = toProblem(prismaError(code, message))
  expect([problem.code, problem.headers?.['retry-after']]).toEqual(['service_unavailable', '1'])
})

it('any other error of Prisma is a 500', () => {
  const message = 'Raw query failed. Code: `23505`. Message: `duplicate key`'
  expect(toProblem(prismaError('P2010', message)).code).toBe('internal_error')
})
