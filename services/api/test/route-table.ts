import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify'
import type { RouteConfig } from '../src/http/route-config.ts'
import { strictSchema } from '../src/http/strict-schema.ts'

/** A route as it was registered: what the tests that walk all of them read. */
export interface RegisteredRoute {
  method: string
  url: string
  schema: FastifySchema
  config: RouteConfig
  bodyLimit: number | undefined
}

/** Whatever JSON Schema can say that these tests ask about. */
export interface JsonSchema {
  type?: string | string[]
  enum?: unknown[]
  const?: unknown
  pattern?: string
  format?: string
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
  maxProperties?: number
  required?: string[]
  items?: JsonSchema
  anyOf?: JsonSchema[]
  properties?: Record<string, JsonSchema>
  patternProperties?: Record<string, JsonSchema>
  additionalProperties?: unknown
}

type Registered = Pick<RouteOptions, 'method' | 'url' | 'schema' | 'config' | 'bodyLimit'>

/**
 * Makes an app and tells every route of its own that is registered on the way. Fastify announces each
 * instance it makes, so this sees what a plugin adds too, and asks nothing of the code under test.
 */
export async function withRouteTable<T>(
  make: () => Promise<T>,
): Promise<{ made: T; routes: RegisteredRoute[] }> {
  const seen: Registered[] = []
  const listen = (message: unknown): void => {
    const { fastify } = message as { fastify: FastifyInstance }
    fastify.addHook('onRoute', route => void seen.push(route))
  }
  subscribe('fastify.initialization', listen)
  try {
    const made = await make()
    return { made, routes: seen.flatMap(toRoutes) }
  } finally {
    unsubscribe('fastify.initialization', listen)
  }
}

/** Without the HEAD that comes with each GET, and the files of the reference. */
function toRoutes({ method, url, schema, config, bodyLimit }: Registered): RegisteredRoute[] {
  if (schema?.hide === true || url.includes('*')) return []
  const methods = typeof method === 'string' ? [method] : method
  return methods
    .filter(name => name !== 'HEAD')
    .map(name => ({ method: name, url, schema: schema ?? {}, config: config ?? {}, bodyLimit }))
}

/** The schema as it is enforced. */
export const enforced = (schema: unknown): JsonSchema => strictSchema(schema) as JsonSchema

/** The path with each parameter replaced. */
export const pathOf = (url: string, toValue: (name: string) => string): string =>
  url.replace(/:(\w+)/g, (_, name: string) => toValue(name))

/** Whether the answer goes on for as long as somebody listens: such a route is not simply called. */
export function isStream({ schema }: RegisteredRoute): boolean {
  return JSON.stringify(schema.response ?? {}).includes('"text/event-stream"')
}

export const nameOf = ({ method, url }: RegisteredRoute): string => `${method} ${url}`
