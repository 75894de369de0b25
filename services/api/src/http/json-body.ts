import { isUtf8 } from 'node:buffer'
import { Problem } from '../shared/problem.ts'

const MAX_DEPTH = 32

const JSON_TYPE = /^application\/json(?: *; *charset=(?:utf-8|"utf-8"))? *$/i

/** Whether a Content-Type is JSON in UTF-8, to the letter: no tab, no other parameter, no junk. */
export const isJsonType = (contentType: string | undefined): boolean =>
  contentType === 'application/json' || (contentType !== undefined && JSON_TYPE.test(contentType))

/**
 * Parses a body so that nobody can read it in two ways: UTF-8 without errors, no field twice in an
 * object (RFC 7493), nothing that reaches for a prototype, no NUL, no half of a surrogate pair.
 */
export function parseJson(body: Buffer): unknown {
  if (!isUtf8(body)) throw malformed('The body is not UTF-8.')
  const text = body.toString('utf8')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // What the parser says would repeat a piece of the body.
    throw malformed(text === '' ? 'The body is empty.' : 'The body is not valid JSON.')
  }
  if (typeof value === 'object' && value !== null) {
    const isEscaped = text.includes('\\u')
    const isSuspicious = isEscaped || text.includes('__proto__') || text.includes('"constructor"')
    if (countFields(value, isSuspicious, 1) !== countNames(text))
      throw malformed('A field appears twice in one object.')
  } else checkText(value)
  return value
}

/** The fields of all objects in a value. Checks names and texts on the way when asked to. */
function countFields(value: object, isSuspicious: boolean, depth: number): number {
  if (depth > MAX_DEPTH) throw malformed(`The body is nested deeper than ${MAX_DEPTH} levels.`)
  const isArray = Array.isArray(value)
  let fields = 0
  for (const name of Object.keys(value)) {
    if (!isArray) fields++
    const inner: unknown = Reflect.get(value, name)
    if (isSuspicious) checkField(name, inner)
    if (typeof inner === 'object' && inner !== null)
      fields += countFields(inner, isSuspicious, depth + 1)
  }
  return fields
}

function checkField(name: string, value: unknown): void {
  if (name === '__proto__') throw malformed('A field may not be called __proto__.')
  if (name === 'constructor' && typeof value === 'object' && value !== null)
    throw malformed('A field that is called constructor may not hold an object.')
  checkText(name)
  checkText(value)
}

function checkText(value: unknown): void {
  if (typeof value !== 'string') return
  if (value.includes('\0') || !value.isWellFormed())
    throw new Problem('request_invalid', {
      detail: 'A text holds NUL or half of a surrogate pair.',
      errors: [{ field: 'body', message: 'must hold well-formed Unicode without NUL' }],
    })
}

/** The names of fields in a JSON text that has been parsed: the strings that a colon follows. */
function countNames(text: string): number {
  let names = 0
  for (let start = text.indexOf('"'); start !== -1; ) {
    const end = endOfString(text, start + 1)
    let after = end + 1
    while (text.charCodeAt(after) <= 0x20) after++
    if (text.charCodeAt(after) === 0x3a) names++
    start = text.indexOf('"', after)
  }
  return names
}

function endOfString(text: string, from: number): number {
  let end = text.indexOf('"', from)
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0
  while (text.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes++
  return backslashes % 2 === 1
}

const malformed = (detail: string): Problem =>
  new Problem('body_malformed', { detail, errors: [{ field: 'body', message: 'must be JSON' }] })
