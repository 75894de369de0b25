import { describe, expect, test } from 'vitest'
import { fillPath, toQuery } from './route.ts'

const ROUTE = 'DELETE /v1/sessions/{sessionId}'

describe('a path parameter', () => {
  test.each([
    ['ses_1', '/v1/sessions/ses_1'],
    ['a b?c#d', '/v1/sessions/a%20b%3Fc%23d'],
    ['%2e%2e', '/v1/sessions/%252e%252e'],
    ['...', '/v1/sessions/...'],
    ['é', '/v1/sessions/%C3%A9'],
  ])('%s is encoded', (sessionId, path) => {
    expect(fillPath(ROUTE, { sessionId })).toBe(path)
    expect(new URL(path, 'http://localhost').pathname).toBe(path)
  })

  test.each([
    [''],
    ['.'],
    ['..'],
    ['a/b'],
    ['../tenants'],
    ['a\\b'],
    ['\ud800'],
    ['x'.repeat(257)],
    [undefined],
    [null],
    [7],
    [['ses_1']],
    [{ id: 'ses_1' }],
  ])('%s is refused, with its name', sessionId => {
    expect(() => fillPath(ROUTE, { sessionId })).toThrow(/^sessionId is /)
  })
})

describe('a query', () => {
  test('has the names of the wire, and encodes values', () => {
    expect(toQuery({ userId: 'a&b=c', dryRun: false, limit: 5 })).toBe(
      '?user_id=a%26b%3Dc&dry_run=false&limit=5',
    )
    expect(toQuery({})).toBe('')
    expect(toQuery(undefined)).toBe('')
  })

  test.each([
    ['userId', undefined],
    ['orgId', undefined],
    ['except', undefined],
    ['dryRun', undefined],
    ['sessionId', undefined],
    ['userId', null],
    ['userId', ''],
    ['userId', '\ud800'],
    ['userId', ['ada']],
    ['signal', new AbortController().signal],
    ['limit', Number.NaN],
    ['cursor', null],
    ['cursor', ''],
  ])('a %s that is %s is refused: a lost filter must not mean everybody', (name, value) => {
    expect(() => toQuery({ [name]: value })).toThrow(new RegExp(`^${name} is `))
  })

  test.each(['limit', 'cursor', 'after', 'status', 'reason'])('%s may be undefined', name => {
    expect(toQuery({ [name]: undefined })).toBe('')
  })
})
