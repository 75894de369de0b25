import { readFileSync } from 'node:fs'

interface Paths {
  [path: string]: Record<string, { operationId: string }>
}

const { paths } = JSON.parse(
  readFileSync(new URL('../../docs/openapi.json', import.meta.url), 'utf8'),
) as { paths: Paths }

/** The operation of the document that a request means: paths without parameters come first. */
export function operationOf(method: string, pathname: string): string {
  const found = Object.entries(paths)
    .toSorted(([a], [b]) => Number(a.includes('{')) - Number(b.includes('{')))
    .find(([path, methods]) => method.toLowerCase() in methods && formOf(path).test(pathname))
  const operation = found?.[1][method.toLowerCase()]
  if (operation === undefined) throw new Error(`${method} ${pathname} is not in the document`)
  return operation.operationId
}

const formOf = (path: string): RegExp => new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`)
