const MAX_LINE_CHARS = 8_192
const MAX_TEXT_CHARS = 512

/**
 * The last gate before a line is written, whoever wrote it and whatever is in it: no secret, one
 * line, bounded. A line that is in order passes at the cost of a few searches.
 */
export function toSafeLine(line: string): string {
  const scrubbed = scrubSecrets(line)
  const bounded = scrubbed.length > MAX_LINE_CHARS ? shortened(scrubbed) : scrubbed
  return UNSAFE_ON_A_TERMINAL.test(bounded) ? bounded.replace(ALL_UNSAFE, escaped) : bounded
}

/** Takes out what looks like an API key, an operator key, a refresh token or a JWT, whole or cut. */
export function scrubSecrets(text: string): string {
  const maySecret = text.includes('sk_') || text.includes('ok_') || text.includes('rt_')
  const scrubbed = maySecret ? text.replace(SECRET, '$1[redacted]') : text
  return scrubbed.includes('eyJ') ? scrubbed.replace(JWT, '[redacted]') : scrubbed
}

const SECRET = /(?<![A-Za-z0-9])(sk_(?:live|test)_|ok_|rt_)[\w-]{8,}/g
const JWT = /eyJ[\w-]{8,}(?:\.[\w-]*){0,4}/g

// JSON escapes C0 controls itself, and leaves these: DEL and C1 (some terminals obey them), line
// and paragraph separators, and the marks that turn the direction of writing.
const UNSAFE_ON_A_TERMINAL = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/
const ALL_UNSAFE = new RegExp(UNSAFE_ON_A_TERMINAL, 'g')

const escaped = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`

/** Keeps the line whole as JSON: every text in it is cut first, and then what is still too much goes. */
function shortened(line: string): string {
  let event: unknown
  try {
    event = JSON.parse(line, (_name, value) => (typeof value === 'string' ? cut(value) : value))
  } catch {
    event = { level: 'error', msg: 'a log line could not be shortened' }
  }
  const text = JSON.stringify(event)
  if (text.length <= MAX_LINE_CHARS) return `${text}\n`
  const { level, time, request_id, msg } = Object(event)
  return `${JSON.stringify({ level, time, request_id, msg, truncated: true })}\n`
}

const cut = (text: string): string =>
  text.length > MAX_TEXT_CHARS ? `${text.slice(0, MAX_TEXT_CHARS).toWellFormed()}…` : text
