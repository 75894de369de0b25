/**
 * Parses a query string without guessing, for Ajv to judge: a parameter that is given twice becomes
 * an array and one that cannot be decoded becomes null, and no schema of ours takes either.
 */
export function parseQueryString(text: string): Record<string, unknown> {
  const query: Record<string, unknown> = Object.create(null)
  if (text === '') return query
  for (const pair of text.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decode(equals === -1 ? pair : pair.slice(0, equals)) ?? '%'
    const value = equals === -1 ? '' : decode(pair.slice(equals + 1))
    query[name] = name in query ? [query[name], value] : value
  }
  return query
}

function decode(text: string): string | null {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text
  if (!spaced.includes('%')) return spaced
  try {
    return decodeURIComponent(spaced)
  } catch {
    return null
  }
}
