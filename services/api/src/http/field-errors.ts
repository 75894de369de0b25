import type { ErrorObject } from 'ajv'
import type { FieldError } from '../shared/problem.ts'

/** The part of a request that a schema describes, as Fastify names it. */
export type HttpPart = 'body' | 'querystring' | 'params' | 'headers'

const MAX_FIELD_ERRORS = 20
const MAX_LISTED = 24

/**
 * Ajv's findings as advice: where it is, and what to do. Never repeats a value, and a name only when
 * it cannot be a secret or a nuisance.
 */
export function toFieldErrors(part: HttpPart, errors: readonly ErrorObject[]): FieldError[] {
  const found = new Map<string, FieldError>()
  for (const error of withoutBranches(errors)) {
    const field = fieldOf(part, error)
    const message = messageOf(part, error, errors)
    found.set(`${field} ${message}`, { field, message })
    if (found.size === MAX_FIELD_ERRORS) break
  }
  return [...found.values()]
}

const PREFIX: Record<HttpPart, string> = {
  body: '',
  querystring: 'query',
  params: 'path',
  headers: 'header',
}

function fieldOf(part: HttpPart, { instancePath, params, keyword }: ErrorObject): string {
  const names = instancePath
    .split('/')
    .slice(1)
    .map(name => name.replaceAll('~1', '/').replaceAll('~0', '~'))
  const extra = EXTRA_NAME[keyword]
  if (extra !== undefined) names.push(String(params[extra]))
  const path = [PREFIX[part], ...names.map(presentable)].filter(name => name !== '')
  return path.length === 0 ? 'body' : path.join('.')
}

/** Keywords that speak of a field below the one that they stand at. */
const EXTRA_NAME: Readonly<Record<string, string>> = {
  required: 'missingProperty',
  additionalProperties: 'additionalProperty',
  propertyNames: 'propertyName',
}

/** A name that the caller made up may be anything: 60 KB, or a token in the wrong place. */
const presentable = (name: string): string =>
  /^[A-Za-z0-9_.:@|-]{1,64}$/.test(name) && !/(?:sk|ok|rt)_|eyJ/.test(name) ? name : '*'

/**
 * A value that fits no branch of a union is one mistake, though Ajv reports each branch. Where a branch
 * names a field (of an object that may be null), that says more than the union does.
 */
function withoutBranches(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const unions = errors.filter(({ keyword }) => keyword === 'anyOf' || keyword === 'oneOf')
  const dropped = new Set<ErrorObject>()
  for (const union of unions) {
    const branches = errors.filter(
      error => isBranchOf(union, error) && error.instancePath === union.instancePath,
    )
    const named = branches.filter(({ keyword }) => EXTRA_NAME[keyword] !== undefined)
    for (const branch of branches) if (!named.includes(branch)) dropped.add(branch)
    if (named.length > 0) dropped.add(union)
  }
  return errors.filter(error => !dropped.has(error))
}

const isBranchOf = (union: ErrorObject, error: ErrorObject): boolean =>
  error.schemaPath.startsWith(`${union.schemaPath}/`)

function messageOf(part: HttpPart, error: ErrorObject, all: readonly ErrorObject[]): string {
  if (error.keyword === 'anyOf' || error.keyword === 'oneOf') {
    const branches = all.filter(
      other => isBranchOf(error, other) && other.instancePath === error.instancePath,
    )
    const messages = new Set(branches.map(branch => messageOf(part, branch, [])))
    return messages.size === 0 ? 'is not valid' : [...messages].join(', or ')
  }
  if (part === 'querystring' && error.keyword === 'type') {
    if (Array.isArray(error.data)) return 'is given twice; give it once'
    if (error.data === null) return 'is not valid percent-encoding'
  }
  const message = MESSAGES[error.keyword]
  return message === undefined ? 'is not valid' : message(error.params, error, part)
}

type Message = (params: Record<string, unknown>, error: ErrorObject, part: HttpPart) => string

const MESSAGES: Readonly<Record<string, Message>> = {
  required: () => 'is required',
  additionalProperties: (_, error, part) => unknownField(error, part),
  propertyNames: () => 'is not a name that is taken here',
  type: ({ type }) => `must be ${withArticle(String(type))}`,
  enum: ({ allowedValues }) => `must be one of ${listed(allowedValues)}`,
  const: ({ allowedValue }) => `must be ${JSON.stringify(allowedValue)}`,
  minLength: ({ limit }) =>
    limit === 1 ? 'must not be empty' : `must have at least ${limit} characters`,
  maxLength: ({ limit }) => `must have at most ${limit} characters`,
  pattern: ({ pattern }) => `must have the form ${pattern}`,
  format: ({ format }) => FORMATS[String(format)] ?? `must be a valid ${format}`,
  minimum: ({ limit }) => `must be at least ${limit}`,
  maximum: ({ limit }) => `must be at most ${limit}`,
  exclusiveMinimum: ({ limit }) => `must be more than ${limit}`,
  exclusiveMaximum: ({ limit }) => `must be less than ${limit}`,
  multipleOf: ({ multipleOf }) => `must be a multiple of ${multipleOf}`,
  minItems: ({ limit }) => `must hold at least ${limit}`,
  maxItems: ({ limit }) => `must hold at most ${limit}`,
  uniqueItems: () => 'must not hold the same twice',
  minProperties: ({ limit }) => `must have at least ${limit} fields`,
  maxProperties: ({ limit }) => `must have at most ${limit} fields`,
}

const FORMATS: Readonly<Record<string, string>> = {
  'date-time': 'must be a time in RFC 3339, like 2026-11-21T09:30:00.000Z',
  uri: 'must be an absolute URL',
}

function unknownField({ parentSchema }: ErrorObject, part: HttpPart): string {
  const known = Object.keys(parentSchema?.properties ?? {})
  const kind = part === 'querystring' ? 'parameter' : 'field'
  if (known.length > 0) return `is not a known ${kind}; there are ${listed(known)}`
  return `is not a known ${kind}; remove it`
}

function listed(values: unknown): string {
  const texts = Array.isArray(values) ? values.map(String) : []
  return texts.length > MAX_LISTED
    ? `${texts.slice(0, MAX_LISTED).join(', ')}, …`
    : texts.join(', ')
}

const withArticle = (type: string): string =>
  type === 'null' ? 'null' : /^[aio]/.test(type) ? `an ${type}` : `a ${type}`
