/** What a request says of its token. */
export type Credentials =
  | { kind: 'none' }
  | { kind: 'token'; token: string }
  /** More than one: which of them would count is nobody's to guess. */
  | { kind: 'several' }

/** The scheme, and all that follows it. */
const CREDENTIALS = /^([^\s,]+)([\s\S]*)$/
/** Where two fields were joined into one (RFC 9110, 5.3): a comma and another scheme. */
const JOINED = /,[ \t]*[!#$%&'*+.^_`|~\w-]+[ \t]+\S/

/**
 * Reads `Authorization` (RFC 6750, 2.1). The scheme is case-insensitive; another scheme counts as no
 * token. Whatever follows `Bearer` is the token, and the verifier judges it.
 */
export function readAuthorization(fields: readonly string[]): Credentials {
  const [field = ''] = fields
  if (fields.length > 1 || JOINED.test(field)) return { kind: 'several' }
  const [, scheme = '', rest = ''] = CREDENTIALS.exec(field) ?? []
  if (scheme.toLowerCase() !== 'bearer') return { kind: 'none' }
  return { kind: 'token', token: rest.replace(/^ +/, '') }
}

/** What Node tells of a request; frameworks that run on it hand it on. */
export interface NodeRequest {
  headers: { authorization?: string | undefined }
  rawHeaders?: readonly string[]
}

/** Node keeps the first of two `Authorization` fields and says nothing: `rawHeaders` has both. */
export function authorizationOfNode({ headers, rawHeaders = [] }: NodeRequest): string[] {
  const isNamed = (at: number): boolean => rawHeaders[at]?.toLowerCase() === 'authorization'
  const fields = rawHeaders.filter((_, at) => at % 2 === 1 && isNamed(at - 1))
  if (fields.length > 1) return fields
  return headers.authorization === undefined ? [] : [headers.authorization]
}

/** `Headers` joins two fields with a comma, which is noticed as such. */
export function authorizationOfWeb({ headers }: Pick<Request, 'headers'>): string[] {
  const field = headers.get('authorization')
  return field === null ? [] : [field]
}
