import { Validator } from '@seriousme/openapi-schema-validator'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createHttpFixture, PUBLIC_URL } from '../../test/http-fixture.ts'
import { idPattern } from '../shared/ids.ts'
import { Page } from '../shared/schema.ts'
import { errorPages } from './error-pages.ts'
import { openApi } from './openapi.ts'

const Thing = Type.Object(
  {
    id: Type.String({ pattern: idPattern('ses'), examples: ['ses_01K3Z8Q5V7M2N4P6R8S0T1W3X5'] }),
    org: Type.Union([Type.String(), Type.Null()], { description: 'Or null.' }),
    metadata: Type.Record(Type.String({ pattern: '^[a-z]{1,64}$' }), Type.String()),
  },
  { additionalProperties: false, description: 'A thing.' },
)

let app: FastifyInstance

beforeAll(async () => {
  const fixture = await createHttpFixture(async scope => {
    await scope.register(openApi, { publicUrl: PUBLIC_URL, schemas: { Thing } })
    await scope.register(errorPages)
    addRoutes(scope)
  })
  app = fixture.app
})
afterAll(() => app.close())

function addRoutes(scope: FastifyInstance): void {
  const params = Type.Object({ thingId: Type.String({ pattern: '^[a-z]+$' }) })
  const tags = ['Sessions']
  scope.get(
    '/v1/things',
    {
      schema: {
        operationId: 'listThings',
        tags,
        querystring: Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1 })) }),
        response: { 200: Page(Thing) },
      },
      config: { scope: 'sessions:read' },
    },
    async () => ({ object: 'list' as const, data: [], has_more: false, next_cursor: null }),
  )
  scope.post(
    '/v1/things',
    {
      schema: { operationId: 'createThing', tags, body: Thing, response: { 201: Thing } },
      config: { scope: 'sessions:write' },
    },
    async (request, reply) => reply.code(201).send(request.body as never),
  )
  scope.delete(
    '/v1/things/:thingId',
    {
      schema: {
        operationId: 'deleteThing',
        tags,
        params,
        response: { 204: Type.Null({ description: 'Gone.' }) },
      },
      config: { operator: true },
    },
    async (_request, reply) => reply.code(204).send(null),
  )
  scope.post(
    '/v1/verify',
    {
      schema: { operationId: 'verify', tags, body: Thing, response: { 200: Thing } },
      config: { idempotent: false },
    },
    async request => request.body as never,
  )
  scope.get(
    '/jwks',
    {
      schema: { operationId: 'getJwks', tags: ['Discovery'], response: { 200: Thing } },
      config: { public: true, namesTenant: true },
    },
    async () => ({}) as never,
  )
}

const document = async () => (await app.inject('/openapi.json')).json()

describe('the document', () => {
  test('is valid OpenAPI 3.1', async () => {
    const validator = new Validator()
    const { valid, errors } = await validator.validate(await document())
    expect(errors).toBeUndefined()
    expect(valid).toBe(true)
    expect(validator.version).toBe('3.1')
  })

  test('has every route once, and nothing of the reference itself', async () => {
    const { paths } = await document()
    const operations = Object.entries(paths).flatMap(([path, item]) =>
      Object.keys(Object(item)).map(method => `${method} ${path}`),
    )
    expect(operations.sort()).toEqual([
      'delete /v1/things/{thingId}',
      'get /docs/errors/{code}',
      'get /jwks',
      'get /openapi.json',
      'get /v1/things',
      'post /v1/things',
      'post /v1/verify',
    ])
  })

  test('names shared schemas and leaves nothing out of them', async () => {
    const { components, paths } = await document()
    expect(components.schemas.Thing).toEqual(JSON.parse(JSON.stringify(strictThing)))
    const ref = { $ref: '#/components/schemas/Thing' }
    const create = paths['/v1/things'].post
    expect(create.requestBody.content['application/json'].schema).toEqual(ref)
    expect(create.responses[201].content['application/json'].schema).toEqual(ref)
    const list = paths['/v1/things'].get.responses[200].content['application/json'].schema
    expect(list.properties.data.items).toEqual(ref)
  })

  const strictThing = {
    ...Thing,
    properties: {
      ...Thing.properties,
      metadata: { ...Thing.properties.metadata, additionalProperties: false },
    },
  }

  test('documents problems, headers and who may call', async () => {
    const { paths, components } = await document()
    const { post, get } = paths['/v1/things']
    const { delete: remove } = paths['/v1/things/{thingId}']
    expect(Object.keys(post.responses).sort()).toEqual(
      [
        '201',
        '400',
        '401',
        '403',
        '404',
        '409',
        '413',
        '415',
        '429',
        '500',
        '503',
        'default',
      ].sort(),
    )
    expect(post.parameters).toEqual([
      { $ref: '#/components/parameters/TenantId' },
      { $ref: '#/components/parameters/IdempotencyKey' },
    ])
    expect(paths['/v1/verify'].post.parameters).toEqual([
      { $ref: '#/components/parameters/TenantId' },
    ])
    expect(paths['/jwks'].get.parameters).toEqual([
      { $ref: '#/components/parameters/PublicTenantId' },
    ])
    expect(paths['/jwks'].get.security).toEqual([])
    expect(get.security).toEqual([{ apiKey: [] }, { operatorKey: [] }])
    expect(remove.security).toEqual([{ operatorKey: [] }])
    expect(remove.responses[204].content).toBeUndefined()
    expect(get.description).toContain('sessions:read')
    expect(components.schemas.Problem.properties.code.enum).toContain('session_not_found')
  })

  test('resolves every reference that it makes', async () => {
    const whole = await document()
    const refs = [...JSON.stringify(whole).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, ref]) => ref)
    for (const ref of refs) {
      const target = ref?.split('/').reduce((node, name) => Object(node)[name], whole)
      expect(target, ref).toBeDefined()
    }
  })
})

describe('the reference', () => {
  test('is there without internet and under a policy of its own', async () => {
    const page = await app.inject('/docs')
    expect(page.statusCode).toBe(200)
    expect(page.headers['content-security-policy']).toContain("script-src 'self'")
    expect(page.headers['content-security-policy']).not.toContain('unsafe')
    const urls = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url ?? '')
    expect(urls.length).toBeGreaterThan(3)
    for (const url of urls) {
      const asset = await app.inject(new URL(url, 'http://x/docs').pathname)
      expect([url, asset.statusCode]).toEqual([url, 200])
    }
    expect(page.body).not.toMatch(/<script>|<style>|https?:\/\//)
  })

  test('reads the same document', async () => {
    const { paths } = (await app.inject('/docs/json')).json()
    expect(paths).toEqual((await document()).paths)
  })

  test('answers HEAD, what is still current, other methods and unknown files as they should be', async () => {
    const url = '/docs/static/logo.svg'
    const { headers, body } = await app.inject(url)
    const head = await app.inject({ method: 'HEAD', url })
    expect(head.headers['content-length']).toBe(`${Buffer.byteLength(body)}`)
    expect(head.body).toBe('')
    const current = await app.inject({ url, headers: { 'if-none-match': `${headers.etag}` } })
    expect([current.statusCode, current.body]).toEqual([304, ''])
    const wrong = await app.inject({ method: 'POST', url: '/docs/json' })
    expect([wrong.statusCode, wrong.headers.allow]).toEqual([405, 'GET, HEAD'])
    expect((await app.inject('/docs/static/none')).json().code).toBe('route_not_found')
  })

  test('does not leak its policy to other routes, nor files beside its own', async () => {
    const other = await app.inject('/jwks')
    expect(other.headers['content-security-policy']).toContain("default-src 'none'")
    for (const path of ['/docs/static/../package.json', '/docs/static/%2e%2e/package.json'])
      expect((await app.inject(path)).statusCode).toBe(404)
  })
})
