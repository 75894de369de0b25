import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SCOPES } from '../src/api-keys/api-keys.schema.ts'
import {
  enforced,
  isStream,
  type JsonSchema,
  nameOf,
  pathOf,
  type RegisteredRoute,
  withRouteTable,
} from './route-table.ts'
import { sampleOf } from './schema-samples.ts'
import { createTestApp, type TestApp } from './test-app.ts'

let sesame: TestApp
let routes: RegisteredRoute[]

beforeAll(async () => {
  const { made, routes: seen } = await withRouteTable(createTestApp)
  sesame = made
  routes = seen
})
afterAll(() => sesame.close())

/** The routes for which something is not so, by name. */
const thatFail = (isWrong: (route: RegisteredRoute) => boolean): string[] =>
  routes.filter(isWrong).map(nameOf)

interface Declared {
  operationId?: string
  summary?: string
  tags?: string[]
  body?: unknown
  params?: unknown
  querystring?: unknown
  response?: Record<string, unknown>
}
const declared = ({ schema }: RegisteredRoute): Declared => schema as Declared

/** Every part of a schema that speaks of a value which comes in, with the path to it. */
function walk(schema: JsonSchema, path: string): { path: string; schema: JsonSchema }[] {
  const inner = [
    ...Object.entries(schema.properties ?? {}),
    ...Object.entries(schema.patternProperties ?? {}),
    ...(schema.items === undefined ? [] : [['[]', schema.items] as const]),
    ...(schema.anyOf ?? []).map((branch, n) => [`|${n}`, branch] as const),
  ]
  return [{ path, schema }, ...inner.flatMap(([name, s]) => walk(s, `${path}.${name}`))]
}

/** Everything that a route takes from its caller. */
const takenBy = (route: RegisteredRoute) =>
  (['body', 'params', 'querystring'] as const).flatMap(part => {
    const schema = declared(route)[part]
    return schema === undefined ? [] : walk(enforced(schema), `${nameOf(route)} ${part}`)
  })

/** A pattern that no long text can match: anchored, and without a repeat that has no end. */
const isBounded = (pattern: string): boolean =>
  pattern.startsWith('^') && pattern.endsWith('$') && !/(?<!\\)[*+]|\{\d+,\}/.test(pattern)

describe('every route', () => {
  it('is seen by this test', () => {
    const names = routes.map(nameOf)
    expect(names.length).toBeGreaterThan(20)
    expect(names).toContain('DELETE /v1/sessions/:sessionId')
    expect(new Set(names).size).toBe(names.length)
  })

  it('has an operation id of its own, verb first', () => {
    const ids = routes.map(route => declared(route).operationId ?? '')
    expect(new Set(ids).size).toBe(ids.length)
    const verb =
      /^(?:create|get|introspect|list|update|delete|revoke|rotate|verify|refresh|stream)[A-Z][A-Za-z]+$/
    expect(ids.filter(id => !verb.test(id))).toEqual([])
  })

  it('has a summary and a tag', () => {
    expect(thatFail(route => (declared(route).summary ?? '').length < 5)).toEqual([])
    expect(thatFail(route => declared(route).tags?.length !== 1)).toEqual([])
  })

  it('says exactly one of: a scope that exists, the operator alone, everybody', () => {
    const known = new Set<string>(SCOPES)
    const isWrong = ({ config }: RegisteredRoute): boolean => {
      const { scope, operator, public: isPublic } = config
      const said = [scope !== undefined, operator === true, isPublic === true]
      return said.filter(Boolean).length !== 1 || (scope !== undefined && !known.has(scope))
    }
    expect(thatFail(isWrong)).toEqual([])
  })

  it('is only public where the contract says so', () => {
    const isPublic = routes.filter(({ config }) => config.public === true).map(({ url }) => url)
    const known =
      /^(?:\/t\/:tenantId)?\/\.well-known\/|^\/(?:healthz|readyz|metrics|openapi\.json)$|^\/docs\b/
    expect(isPublic.filter(url => !known.test(url))).toEqual([])
  })

  it('declares what it answers when all is well', () => {
    const isWrong = (route: RegisteredRoute): boolean =>
      !Object.keys(declared(route).response ?? {}).some(status => /^2\d\d$/.test(status))
    expect(thatFail(isWrong)).toEqual([])
  })

  it('takes no field or parameter that it does not name', () => {
    const open = routes.flatMap(takenBy).filter(({ schema }) => {
      const isObject = schema.type === 'object' || schema.properties !== undefined
      return isObject && schema.additionalProperties !== false
    })
    expect(open.map(({ path }) => path)).toEqual([])
    expect(thatFail(route => declared(route).querystring === undefined)).toEqual([])
  })

  it('declares each parameter of its path', () => {
    const isWrong = (route: RegisteredRoute): boolean => {
      const named = [...route.url.matchAll(/:(\w+)/g)].map(match => match[1])
      const params = declared(route).params as JsonSchema | undefined
      return named.join() !== Object.keys(params?.properties ?? {}).join()
    }
    expect(thatFail(isWrong)).toEqual([])
  })

  it('takes no text without a longest length', () => {
    // A route with a body limit of its own has its one text bounded by that: see verify.
    const limited = routes.filter(({ bodyLimit }) => bodyLimit === undefined)
    const unbounded = limited.flatMap(takenBy).filter(({ schema }) => {
      if (schema.type !== 'string') return false
      const { maxLength, pattern } = schema
      const isFixed = schema.enum !== undefined || schema.const !== undefined
      return !isFixed && maxLength === undefined && !(pattern !== undefined && isBounded(pattern))
    })
    expect(unbounded.map(({ path }) => path)).toEqual([])
  })

  it('takes no list, number or map without a bound', () => {
    const unbounded = routes.flatMap(takenBy).filter(({ schema }) => {
      if (schema.type === 'array') return schema.maxItems === undefined
      if (schema.type === 'integer' || schema.type === 'number')
        return schema.minimum === undefined || schema.maximum === undefined
      return schema.patternProperties !== undefined && schema.maxProperties === undefined
    })
    expect(unbounded.map(({ path }) => path)).toEqual([])
  })

  it('that answers with a list of what only grows takes a limit and a place to go on from', () => {
    const isWrong = (route: RegisteredRoute): boolean => {
      const answer = declared(route).response?.['200'] as JsonSchema | undefined
      const { data, has_more: hasMore } = answer?.properties ?? {}
      // `has_more` is always false where the whole list is short by its nature.
      if (data?.type !== 'array' || hasMore?.const === false) return false
      const { limit, cursor, after } = (declared(route).querystring as JsonSchema).properties ?? {}
      return (limit?.maximum ?? Infinity) > 1000 || (cursor ?? after) === undefined
    }
    expect(thatFail(isWrong)).toEqual([])
  })

  it('names every field of its answer, so that nothing else can leave', () => {
    const open = routes.flatMap(route =>
      Object.entries(declared(route).response ?? {}).flatMap(([status, schema]) =>
        walk(schema as JsonSchema, `${nameOf(route)} ${status}`).filter(
          ({ schema: part }) =>
            part.properties !== undefined && part.additionalProperties !== false,
        ),
      ),
    )
    expect(open.map(({ path }) => path)).toEqual([])
  })
})

describe('every route that is not public', () => {
  it('refuses whoever has no key, before it looks at anything', async () => {
    for (const route of routes.filter(({ config }) => config.public !== true)) {
      if (route.config.keyOptional === true) continue
      const path = pathOf(route.url, () => 'x')
      const { status, body } = await sesame.anonymous.call(route.method, path)
      expect([nameOf(route), status, body.code]).toEqual([nameOf(route), 401, 'api_key_invalid'])
    }
  })

  it('refuses a key that has every scope but its own', async () => {
    const tenant = await sesame.tenant()
    const without = new Map(
      await Promise.all(
        SCOPES.map(async scope => {
          const scopes = SCOPES.filter(other => other !== scope)
          return [scope as string, await tenant.withKey({ scopes })] as const
        }),
      ),
    )
    for (const route of routes.filter(({ config }) => config.public !== true)) {
      const path = pathOf(route.url, () => 'x')
      const caller = without.get(route.config.scope ?? '') ?? tenant
      const { status, body } = await caller.call(route.method, path)
      expect([nameOf(route), status, body.code]).toEqual([nameOf(route), 403, 'scope_missing'])
    }
  })

  it('is open to a key that has its scope alone', async () => {
    const tenant = await sesame.tenant()
    for (const scope of SCOPES) {
      const only = await tenant.withKey({ scopes: [scope] })
      for (const route of routes.filter(({ config }) => config.scope === scope)) {
        if (isStream(route)) continue
        const { body: schema } = declared(route)
        const path = pathOf(route.url, () => 'x')
        const { status, body } = await only.call(route.method, path, {
          ...(schema !== undefined && { body: sampleOf(enforced(schema)) }),
          ...(route.method === 'DELETE' && { query: { dry_run: 'true' } }),
        })
        expect([nameOf(route), status]).not.toEqual([nameOf(route), 403])
        expect([nameOf(route), body?.code]).not.toEqual([nameOf(route), 'api_key_invalid'])
        expect(status).toBeLessThan(500)
      }
    }
  })

  it('refuses a field and a parameter that nobody declared, and names them', async () => {
    const tenant = await sesame.tenant()
    for (const route of routes.filter(({ config }) => config.public !== true)) {
      // A form is refused for its type before its fields are read: see oauth.routes.test.ts.
      if (route.config.form === true) continue
      const caller = route.config.operator === true ? sesame.operator : tenant
      const schema = declared(route)
      const params = (schema.params as JsonSchema | undefined)?.properties ?? {}
      const path = pathOf(route.url, name => String(sampleOf(params[name] ?? {})))
      const sample = schema.body === undefined ? {} : (sampleOf(enforced(schema.body)) as object)
      const body = { ...sample, surprise: 1 }
      const named = (errors: { field: string }[] = []) => errors.map(({ field }) => field)
      if (schema.body !== undefined) {
        const answer = await caller.call(route.method, path, { body })
        expect([nameOf(route), answer.status]).toEqual([nameOf(route), 400])
        expect(named(answer.body.errors)).toContain('surprise')
      }
      const answer = await caller.call(route.method, path, {
        query: { surprise: '1' },
        ...(schema.body !== undefined && { body: sample }),
      })
      expect([nameOf(route), answer.status]).toEqual([nameOf(route), 400])
      expect(named(answer.body.errors)).toContain('query.surprise')
    }
  })
})

describe('every path', () => {
  it('answers a method that it does not take with 405 and those that it does', async () => {
    const tenant = await sesame.tenant()
    for (const url of new Set(routes.map(route => route.url))) {
      const path = pathOf(url, () => 'x')
      // `/v1/sessions/verify` is also the path of a session that cannot be.
      const takes = (other: string): boolean =>
        new RegExp(`^${pathOf(other, () => '[^/]+')}$`).test(path)
      const taken = routes.filter(route => takes(route.url)).map(({ method }) => method)
      const [wrong = ''] = ['PUT', 'PATCH', 'POST'].filter(method => !taken.includes(method))
      const { status, headers, body } = await tenant.call(wrong, path)
      expect([url, status, body.code]).toEqual([url, 405, 'method_not_allowed'])
      const allowed = String(headers.allow).split(', ')
      const named = allowed.filter(method => method !== 'HEAD')
      expect([url, named.toSorted()]).toEqual([url, [...new Set(taken)].toSorted()])
    }
  })
})
