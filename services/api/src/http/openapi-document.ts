import type { RouteOptions } from 'fastify'
import {
  HEADERS,
  headerRef,
  INFO,
  PARAMETERS,
  PROBLEM_RESPONSES,
  PROBLEM_SCHEMA,
  SECURITY_SCHEMES,
  TAGS,
} from './openapi-parts.ts'
import { isIdempotent, type RouteConfig } from './route-config.ts'
import { strictSchema } from './strict-schema.ts'

export interface OpenApiDocument {
  openapi: string
  paths: Record<string, Record<string, unknown>>
  [field: string]: unknown
}

export interface OpenApiSource {
  publicUrl: string
  routes: readonly RouteOptions[]
  /** Schemas to be named in the document wherever a route uses them. */
  schemas: Readonly<Record<string, object>>
}

/**
 * The OpenAPI 3.1 document of these routes. Its schemas are JSON Schema 2020-12, which is what ours
 * are, so they go in as they are enforced: nothing is translated, and nothing is lost on the way.
 */
export function createOpenApiDocument({ publicUrl, routes, schemas }: OpenApiSource) {
  const refer = createReferrer(new Map(Object.entries(schemas).map(([name, s]) => [s, name])))
  const document: OpenApiDocument = {
    openapi: '3.1.0',
    info: INFO,
    servers: [{ url: publicUrl }],
    tags: TAGS,
    paths: {},
    components: {
      securitySchemes: SECURITY_SCHEMES,
      parameters: PARAMETERS,
      headers: HEADERS,
      responses: componentResponses(),
      schemas: {
        Problem: PROBLEM_SCHEMA,
        ...Object.fromEntries(
          Object.entries(schemas).map(([name, schema]) => [name, refer(schema, true)]),
        ),
      },
    },
  }
  for (const route of routes) {
    const path = route.url.replace(/:(\w+)/g, '{$1}')
    const operations = document.paths[path] ?? {}
    operations[String(route.method).toLowerCase()] = operationOf(route, refer)
    document.paths[path] = operations
  }
  return document
}

/** A schema as it is enforced, with references in place of the named ones (or of those inside it). */
type Refer = (schema: unknown, isNamed?: boolean) => unknown

function createReferrer(names: ReadonlyMap<unknown, string>): Refer {
  const walk = (value: unknown, isNamed: boolean): unknown => {
    if (typeof value !== 'object' || value === null) return value
    const name = isNamed ? undefined : names.get(value)
    if (name !== undefined) return { $ref: `#/components/schemas/${name}` }
    if (Array.isArray(value)) return value.map(item => walk(item, false))
    return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, walk(v, false)]))
  }
  return (schema, isNamed = false) => strictSchema(walk(schema, isNamed))
}

const FORM = 'application/x-www-form-urlencoded'
const JSON_TYPE = 'application/json'

function operationOf({ method, schema = {}, config = {} }: RouteOptions, refer: Refer) {
  const { operationId, summary, description, tags, body, params, querystring, response } =
    schema as RouteSchema
  return {
    operationId,
    summary,
    description: describe(description, config),
    tags,
    security: securityOf(config),
    parameters: [
      ...parametersOf('path', params, refer),
      ...parametersOf('query', querystring, refer),
      ...headerParametersOf(method, config),
    ],
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { [config.form === true ? FORM : JSON_TYPE]: { schema: refer(body) } },
          },
        }),
    responses: {
      ...Object.fromEntries(
        Object.entries(response ?? {}).map(([status, answer]) => [
          status,
          responseOf(answer, isReplayed(method, config), config, refer),
        ]),
      ),
      ...problemsOf(method, config, schema as RouteSchema),
    },
  }
}

interface RouteSchema {
  operationId?: string
  summary?: string
  description?: string
  tags?: string[]
  body?: object
  params?: ObjectSchema
  querystring?: ObjectSchema
  response?: Record<string, AnswerSchema>
}

interface ObjectSchema {
  properties?: Record<string, { description?: string }>
  required?: string[]
}

interface AnswerSchema {
  type?: string
  description?: string
  content?: Record<string, { schema: object }>
}

function describe(description: string | undefined, { scope, operator }: RouteConfig) {
  const need =
    scope === undefined
      ? operator === true
        ? 'Only with the operator key.'
        : undefined
      : `Needs the scope \`${scope}\`.`
  const text = [description, need].filter(part => part !== undefined).join('\n\n')
  return text === '' ? undefined : text
}

function securityOf(config: RouteConfig) {
  if (config.public === true) return []
  if (config.operator === true) return [{ operatorKey: [] }]
  const either: object[] = [{ apiKey: [] }, { operatorKey: [] }]
  return config.keyOptional === true ? [...either, {}] : either
}

function parametersOf(place: 'path' | 'query', schema: ObjectSchema | undefined, refer: Refer) {
  return Object.entries(schema?.properties ?? {}).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || schema?.required?.includes(name) === true,
    description: property.description,
    schema: refer(property),
  }))
}

function headerParametersOf(method: RouteOptions['method'], config: RouteConfig) {
  const names: (keyof typeof PARAMETERS)[] = []
  if (config.namesTenant === true) names.push('PublicTenantId')
  else if (config.public !== true && config.operator !== true) names.push('TenantId')
  if (isReplayed(method, config)) names.push('IdempotencyKey')
  return names.map(name => ({ $ref: `#/components/parameters/${name}` }))
}

const isReplayed = (method: RouteOptions['method'], config: RouteConfig): boolean =>
  isIdempotent(method, config) && config.public !== true

function responseOf(answer: AnswerSchema, mayReplay: boolean, config: RouteConfig, refer: Refer) {
  const limits = {
    ratelimit: headerRef('RateLimit'),
    'ratelimit-policy': headerRef('RateLimitPolicy'),
  }
  const headers = {
    'x-request-id': headerRef('RequestId'),
    ...(config.public === true ? {} : limits),
    ...(mayReplay ? { 'idempotency-replayed': headerRef('IdempotencyReplayed') } : {}),
  }
  const description = answer.description ?? 'Done.'
  if (answer.type === 'null') return { description, headers }
  const content = answer.content ?? { 'application/json': { schema: refer(answer) } }
  return { description, headers, content }
}

function problemsOf(method: RouteOptions['method'], config: RouteConfig, schema: RouteSchema) {
  const statuses = ['400', '404', '500', '503', 'default']
  if (config.public !== true) statuses.push('401', '403', '429')
  if (method !== 'GET' && config.public !== true) statuses.push('409')
  if (schema.body !== undefined) statuses.push('413', '415')
  return Object.fromEntries(
    statuses
      .filter(status => schema.response?.[status] === undefined)
      .map(status => [status, { $ref: `#/components/responses/${responseName(status)}` }]),
  )
}

const componentResponses = () =>
  Object.fromEntries(
    Object.entries(PROBLEM_RESPONSES).map(([status, response]) => [responseName(status), response]),
  )

const responseName = (status: string): string =>
  status === 'default' ? 'OtherProblem' : `Problem${status}`
