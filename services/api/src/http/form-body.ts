import { isUtf8 } from 'node:buffer'
import { Problem } from '../shared/problem.ts'

const FORM_TYPE = /^application\/x-www-form-urlencoded(?: *; *charset=(?:utf-8|"utf-8"))? *$/i

/** Whether a Content-Type is that of a form in UTF-8, to the letter. */
export const isFormType = (contentType: string | undefined): boolean =>
  contentType !== undefined && FORM_TYPE.test(contentType)

/** A form as RFC 6749, appendix B has it; a parameter that comes twice is refused (3.1). */
export function parseForm(body: Buffer): Record<string, string> {
  const text = body.toString('latin1')
  if (!isUtf8(body) || /[^\x21-\x7e]/.test(text)) throw malformed('The form is not URL-encoded.')
  const fields = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(text)) {
    if (fields.has(name)) throw malformed('A parameter appears twice.')
    if (`${name}${value}`.includes('\0') || `${name}${value}`.includes('\ufffd'))
      throw malformed('The form holds NUL or what is not UTF-8.')
    fields.set(name, value)
  }
  return Object.fromEntries(fields)
}

const malformed = (detail: string): Problem => new Problem('body_malformed', { detail })
