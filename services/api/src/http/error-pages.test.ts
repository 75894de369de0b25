import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { createHttpFixture } from '../../test/http-fixture.ts'
import { PROBLEMS } from '../shared/problem.ts'
import { errorPages, readErrorPages } from './error-pages.ts'

const pages = readErrorPages()
const index = readFileSync(new URL('../../../../docs/errors/README.md', import.meta.url), 'utf8')

describe('the pages of docs/errors', () => {
  test('are one for each code, and none for a code that is gone', () => {
    expect([...pages.keys()].sort()).toEqual(Object.keys(PROBLEMS).sort())
    const listed = [...index.matchAll(/\((\w+)\.md\)/g)].map(([, code]) => code)
    expect(listed.sort()).toEqual(Object.keys(PROBLEMS).sort())
  })

  test.each(Object.entries(PROBLEMS))('%s says what the registry says', (code, problem) => {
    const page = pages.get(code) ?? ''
    const { status, title } = problem
    expect(page).toContain(`**${status} `)
    for (const heading of ['## Why it happens', '## What to do', '## Example'])
      expect(page).toContain(heading)
    const example = JSON.parse(/\n\n(\{[\s\S]*\})\n```/.exec(page)?.[1] ?? '')
    expect(example).toMatchObject({ status, title, code })
    expect(example.type.endsWith(`/docs/errors/${code}`)).toBe(true)
    expect(index).toMatch(new RegExp(`\\(${code}\\.md\\)\`? *\\| ${status} +\\| `))
  })

  test('are where the type of a problem says', async () => {
    const { app } = await createHttpFixture(async scope => {
      await scope.register(errorPages)
    })
    const problem = (await app.inject('/nowhere')).json()
    const page = await app.inject(new URL(problem.type).pathname)
    expect(page.statusCode).toBe(200)
    expect(page.headers['content-type']).toBe('text/plain; charset=utf-8')
    expect(page.body).toContain('# `route_not_found`')
    for (const name of ['nope', 'README', '..%2f..%2fpackage', 'x'.repeat(65)])
      expect((await app.inject(`/docs/errors/${name}`)).statusCode).toBe(404)
    await app.close()
  })
})
