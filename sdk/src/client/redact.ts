/**
 * What looks like a credential. Whatever encoded the text may have put a letter right in front of it
 * (`%20`, a literal `\n`), so none has to begin a word. Within a word, though, only what is long enough
 * counts: `CERT_HAS_EXPIRED` and `start_time` hold no refresh token.
 */
const CREDENTIALS = [
  /bearer(?:\s|%20|\+)+[\w.~+/=-]{6,}/gi,
  /(?:\b(?:sk|ok|rt)_|sk_(?:live|test)_)[\w.~+/=-]{6,}/g,
  /(?:ok|rt)_[\w-]{20,}[\w.~+/=-]*/g,
  /(?:\beyJ[\w-]{6,}|eyJ[\w-]{16,})(?:\.[\w-]*)*/g,
]
const REDACTED = '[redacted]'
const MAX_LENGTH = 500

/**
 * Text of others for an error: one line, bounded, and without anything that looks like a key or a
 * token. A proxy may echo what it was sent, and errors go to logs.
 *
 * @param secretKey is not in it at all, whatever stands around it.
 */
export function redact(text: string, secretKey: string): string {
  const bounded = text.replaceAll(secretKey, REDACTED).slice(0, MAX_LENGTH * 4)
  return CREDENTIALS.reduce((clean, form) => clean.replace(form, REDACTED), bounded)
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .slice(0, MAX_LENGTH)
}

/**
 * What a fetch failed with, without the objects that runtimes hang on their errors: those may hold
 * the request and its headers.
 */
export function plainCause(error: unknown, secretKey: string, depth = 0): Error {
  const { name, message, code, cause } = factsOf(error, text => redact(text, secretKey))
  const plain = new Error(message, {
    ...(cause !== undefined && depth < 3 && { cause: plainCause(cause, secretKey, depth + 1) }),
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

function factsOf(
  error: unknown,
  clean: (text: string) => string,
): {
  name: string
  message: string
  code?: string
  cause?: unknown
} {
  if (!(error instanceof Error)) return { name: 'Error', message: clean(String(error)) }
  const { name, message, cause } = error
  const code = 'code' in error && typeof error.code === 'string' ? clean(error.code) : undefined
  return { name: clean(name), message: clean(message), cause, ...(code !== undefined && { code }) }
}
