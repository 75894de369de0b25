import { idPattern } from '../shared/ids.ts'
import { PROBLEMS, type ProblemCode } from '../shared/problem.ts'
import { ProblemDocument } from '../shared/schema.ts'

/** What every operation of the document shares. Named parts, so that generators name their types. */
export const INFO = {
  title: 'Sesame',
  version: '1.0.0',
  summary: 'Sessions for the apps of many tenants, revoked everywhere at once.',
  description: `JSON in snake_case; times are RFC 3339 in UTC with milliseconds.

**Authentication.** \`Authorization: Bearer sk_…\` with the secret key of a tenant, or the operator's
\`ok_…\` key, which names the tenant to act in by \`X-Tenant-ID\`.

**Strict input.** Unknown fields and parameters are refused with 400, so that a misspelt filter never
means "everything".

**Problems.** Every error is an RFC 9457 document with a stable \`code\`; its \`type\` links to a page
that says what to do.

**Repeating a request.** A POST, and a DELETE of many sessions, takes an \`Idempotency-Key\`: the same key
and request get the first answer again for 24 hours. Any other request may be repeated as it is.

**Lists** are paged by an opaque \`cursor\`, bound to the filters it was made with.

**Limits.** Every answer to a key carries \`RateLimit\` and \`RateLimit-Policy\`; beyond the limit is 429
with \`Retry-After\`.`,
  license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
}

export const TAGS = [
  { name: 'Sessions', description: 'One authenticated period of one user on one device.' },
  { name: 'OAuth', description: 'The same in the words of RFC 7662 and RFC 7009.' },
  { name: 'Revocations', description: 'What those who verify tokens locally must know.' },
  { name: 'Events', description: 'The audit trail: what happened, and who did it.' },
  { name: 'Tenants', description: 'The isolated customers of the service. For the operator.' },
  { name: 'API keys', description: 'The secret keys of a tenant.' },
  { name: 'Signing keys', description: 'The key pairs that sign access tokens.' },
  { name: 'Discovery', description: 'What anybody may read to verify tokens.' },
  { name: 'Service', description: 'Health, and the documentation of the service itself.' },
]

export const SECURITY_SCHEMES = {
  apiKey: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'sk_…',
    description: 'The secret key of a tenant. It has scopes.',
  },
  operatorKey: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'ok_…',
    description: 'The key of whoever runs the service.',
  },
}

const tenantId = {
  type: 'string',
  pattern: idPattern('tnt'),
  examples: ['tnt_01K3Z8Q5V7M2N4P6R8S0T1W3X5'],
}

export const PARAMETERS = {
  TenantId: {
    name: 'X-Tenant-ID',
    in: 'header',
    description: "The key's own tenant, or nothing; for the operator, the tenant to act in.",
    schema: tenantId,
  },
  PublicTenantId: {
    name: 'X-Tenant-ID',
    in: 'header',
    required: true,
    description: 'The tenant that is asked about.',
    schema: tenantId,
  },
  IdempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    description: 'Made up for each new request, such as a UUID, and repeated with it.',
    schema: {
      type: 'string',
      pattern: '^[\\x21-\\x7e]{1,255}$',
      minLength: 1,
      maxLength: 255,
      examples: ['8e03978e-40d5-43dd-bc93-6894a57f9324'],
    },
  },
}

export const HEADERS = {
  RequestId: {
    description: 'Names this request in the logs of the service.',
    required: true,
    schema: { type: 'string', pattern: idPattern('req') },
  },
  RateLimit: {
    description: 'What is left of each limit (draft-ietf-httpapi-ratelimit-headers).',
    schema: { type: 'string', examples: ['"key";r=1999;t=1, "tenant";r=9999;t=1'] },
  },
  RateLimitPolicy: {
    description: 'The limits (draft-ietf-httpapi-ratelimit-headers).',
    schema: { type: 'string', examples: ['"key";q=2000;w=2, "tenant";q=10000;w=2'] },
  },
  RetryAfter: {
    description: 'Seconds to wait.',
    schema: { type: 'integer', minimum: 1 },
  },
  IdempotencyReplayed: {
    description: 'Present when this is the first answer again.',
    schema: { type: 'string', enum: ['true'] },
  },
}

export const PROBLEM_SCHEMA = {
  ...ProblemDocument,
  properties: {
    ...ProblemDocument.properties,
    code: { type: 'string', enum: Object.keys(PROBLEMS), description: 'Stable name.' },
  },
}

export const headerRef = (name: keyof typeof HEADERS) => ({ $ref: `#/components/headers/${name}` })

/** The problem responses by status; `default` stands for the rest (405, 408, 413, 414, 415, 431). */
export const PROBLEM_RESPONSES: Readonly<Record<string, object>> = Object.fromEntries(
  ['400', '401', '403', '404', '409', '413', '415', '429', '500', '503', 'default'].map(status => [
    status,
    problemResponse(status),
  ]),
)

function problemResponse(status: string) {
  const codes = Object.entries(PROBLEMS).filter(([, problem]) => `${problem.status}` === status)
  const [code, problem] = codes[0] ?? ['method_not_allowed', PROBLEMS.method_not_allowed]
  return {
    description:
      status === 'default'
        ? 'Any other problem.'
        : codes.map(([name, { title }]) => `\`${name}\`: ${title}.`).join('\n\n'),
    headers: {
      'x-request-id': headerRef('RequestId'),
      ...(status === '429' || status === '503' ? { 'retry-after': headerRef('RetryAfter') } : {}),
    },
    content: {
      'application/problem+json': {
        schema: { $ref: '#/components/schemas/Problem' },
        example: exampleOf(code, problem),
      },
    },
  }
}

function exampleOf(code: string, { status, title }: (typeof PROBLEMS)[ProblemCode]) {
  return {
    type: `https://sesame.example/docs/errors/${code}`,
    title,
    status,
    code,
    detail: `${title}.`,
    request_id: 'req_01K3Z8Q5V7M2N4P6R8S0T1W3X5',
    ...(status === 400 ? { errors: [] } : {}),
  }
}
