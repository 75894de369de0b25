import type { NamedOperation } from './openapi.ts'

/** A type that maps each route to what it takes and gives: the client's requests are checked by it. */
export function emitOperations(operations: NamedOperation[], imported: string): string {
  const schemas = operations.flatMap(({ query, body, result }) => [query, body, result])
  const names = [...new Set(schemas.filter(name => name !== null))].sort()
  return [
    `import type {\n${names.map(name => `  ${name},`).join('\n')}\n} from '${imported}'\n`,
    '/** What each route takes and gives, by method and path. */',
    'export interface Operations {',
    ...operations.map(entryOf),
    '}',
    '',
  ].join('\n')
}

function entryOf({ operationId, route, pathParams, query, body, result }: NamedOperation): string {
  const path = pathParams.map(name => `${name}: string`).join('; ')
  return [
    `  '${route}': {`,
    `    operationId: '${operationId}'`,
    `    path: ${path === '' ? 'null' : `{ ${path} }`}`,
    `    query: ${query}`,
    `    body: ${body}`,
    `    result: ${result ?? 'undefined'}`,
    '  }',
  ].join('\n')
}
