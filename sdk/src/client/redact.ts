const CREDENTIAL = /\b(?:(?:sk|ok|rt)_|Bearer +)[\w.~+/=-]{6,}|\beyJ[\w-]{6,}(?:\.[\w-]*)*/gi
const MAX_LENGTH = 500

/**
 * Text of others for an error: one line, bounded, and without anything that looks like a key or a
 * token. A proxy may echo what it was sent, and errors go to logs.
 */
export const redact = (text: string): string =>
  text
    .slice(0, MAX_LENGTH * 4)
    .replace(CREDENTIAL, '[redacted]')
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .slice(0, MAX_LENGTH)

/**
 * What a fetch failed with, without the objects that runtimes hang on their errors: those may hold
 * the request and its headers.
 */
export function plainCause(error: unknown, depth = 0): Error {
  const { name, message, code, cause } = factsOf(error)
  const plain = new Error(redact(message), {
    ...(cause !== undefined && depth < 3 && { cause: plainCause(cause, depth + 1) }),
  })
  // The stack is of this place and says nothing.
  plain.stack = `${name}: ${plain.message}`
  return Object.assign(plain, { ...(code !== undefined && { code }) })
}

/** The words of an error and of its causes, such as `fetch failed: connect ECONNREFUSED …`. */
export function reasonOf(error: Error): string {
  const { cause } = error
  return cause instanceof Error ? `${error.message}: ${reasonOf(cause)}` : error.message
}

function factsOf(error: unknown): {
  name: string
  message: string
  code?: string
  cause?: unknown
} {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) }
  const { name, message, cause } = error
  const code = 'code' in error && typeof error.code === 'string' ? redact(error.code) : undefined
  return { name: redact(name), message, cause, ...(code !== undefined && { code }) }
}
