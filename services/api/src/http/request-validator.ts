import { Ajv, type ValidateFunction } from 'ajv'
import addFormats from 'ajv-formats'
import type { FastifySchemaCompiler } from 'fastify'
import { Problem, type ProblemCode } from '../shared/problem.ts'
import { type HttpPart, toFieldErrors } from './field-errors.ts'
import { strictSchema } from './strict-schema.ts'

type Verdict = true | { error: Problem }
type Check = (data: unknown) => Verdict

/**
 * Compiles what a route declares into checks that change nothing: no coercion, no defaults, nothing
 * removed. Only query parameters, which arrive as text, become the integers and booleans that the
 * schema speaks of, and only from the one spelling that each has.
 */
export function createRequestValidatorCompiler(): FastifySchemaCompiler<unknown> {
  const fast = createAjv(false)
  // Names every mistake, for the caller; costs more, so it only ever sees requests that failed.
  const thorough = createAjv(true)
  const build = (part: HttpPart, strict: Record<string, unknown>): Check => {
    const check = fast.compile(strict)
    const convert = part === 'querystring' ? converterOf(strict) : undefined
    let explain: ValidateFunction | undefined
    return data => {
      convert?.(data)
      if (check(data)) return true
      if (isBig(data)) return { error: toProblem(part, check) }
      explain ??= thorough.compile(strict)
      explain(data)
      return { error: toProblem(part, explain) }
    }
  }
  // Two of three schemas are those of another route too, not least of the HEAD that goes with a GET:
  // to compile them again took 5 % of a start.
  const known = new Map<string, Check>()
  return ({ schema, httpPart }) => {
    const part = toHttpPart(httpPart)
    // Fastify hands header schemas over as they are, and a request has headers that no route names.
    const strict = part === 'headers' ? schema : strictSchema(schema)
    if (!isSchema(strict)) throw new Error(`a schema for ${part} must be an object`)
    const text = `${part} ${JSON.stringify(strict)}`
    const check = known.get(text) ?? build(part, strict)
    known.set(text, check)
    return check
  }
}

function createAjv(isThorough: boolean): Ajv {
  const ajv = new Ajv({
    allErrors: isThorough,
    verbose: isThorough,
    strict: true,
    // Whether the schemas are JSON Schema is for a test to say (generate-openapi.test.ts): to ask it
    // took 6 % of each start.
    validateSchema: false,
    // V8 does the same to code that is used often; done here it took 4 % of each start.
    code: { optimize: false },
    strictTypes: false,
    strictRequired: false,
    allowUnionTypes: true,
    // Words of OpenAPI, for the document only.
    keywords: ['example'],
  })
  addFormats.default(ajv)
  return ajv
}

function toProblem(part: HttpPart, { errors }: ValidateFunction): Problem {
  const found = errors ?? []
  const code = part === 'params' ? notFoundCode(found[0]?.instancePath) : undefined
  if (code !== undefined) return new Problem(code)
  return new Problem('request_invalid', {
    detail: DETAIL[part],
    errors: toFieldErrors(part, found),
  })
}

const DETAIL: Record<HttpPart, string> = {
  body: 'The body does not have the form that this route takes; see errors.',
  querystring: 'The query does not have the form that this route takes; see errors.',
  params: 'The path does not have the form that this route takes; see errors.',
  headers: 'The headers do not have the form that this route takes; see errors.',
}

/** An id that cannot be is one that does not exist: one answer for both, before anyone is asked. */
const notFoundCode = (instancePath = ''): ProblemCode | undefined =>
  NOT_FOUND_OF_PARAM[instancePath.slice(1)]

const NOT_FOUND_OF_PARAM: Readonly<Record<string, ProblemCode>> = {
  sessionId: 'session_not_found',
  tenantId: 'tenant_not_found',
  apiKeyId: 'api_key_not_found',
  kid: 'signing_key_not_found',
  code: 'route_not_found',
}

const INTEGER = /^(?:0|[1-9]\d{0,15})$/

/** Undefined where every parameter is a text. */
function converterOf(schema: Record<string, unknown>): ((data: unknown) => void) | undefined {
  const properties = isSchema(schema.properties) ? Object.entries(schema.properties) : []
  const typed = properties.flatMap(([name, property]) => {
    const type = isSchema(property) ? property.type : undefined
    return type === 'integer' || type === 'boolean' ? [{ name, type }] : []
  })
  if (typed.length === 0) return undefined
  return data => {
    if (!isSchema(data)) return
    for (const { name, type } of typed) {
      const text = data[name]
      if (typeof text !== 'string') continue
      if (type === 'integer' && INTEGER.test(text)) data[name] = Number(text)
      else if (type === 'boolean' && (text === 'true' || text === 'false'))
        data[name] = text === 'true'
    }
  }
}

const MAX_EXPLAINED_VALUES = 300

/** Whether naming every mistake could become work worth sending us. */
function isBig(data: unknown): boolean {
  let values = 0
  const visit = (value: unknown): boolean => {
    if (++values > MAX_EXPLAINED_VALUES) return true
    if (typeof value !== 'object' || value === null) return false
    return Object.values(value).some(visit)
  }
  return visit(data)
}

function toHttpPart(httpPart: string | undefined): HttpPart {
  if (httpPart === 'querystring' || httpPart === 'params' || httpPart === 'headers') return httpPart
  return 'body'
}

const isSchema = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
