import type { FastifyInstance } from 'fastify'

/** Tells a wrong method from a wrong path. Asked only after the router has found nothing. */
export interface KnownPaths {
  /** The methods that the path takes; empty for an unknown path. */
  methodsOf(path: string): string[]
}

/** Must be called before the routes are registered: it listens to them coming. */
export function collectKnownPaths(app: FastifyInstance): KnownPaths {
  const paths = new Map<string, { form: RegExp; methods: Set<string> }>()
  app.addHook('onRoute', ({ url, method }) => {
    // A wildcard (static files of the reference) would make every path below it known.
    if (url.includes('*')) return
    const known = paths.get(url) ?? { form: formOf(url), methods: new Set<string>() }
    for (const name of typeof method === 'string' ? [method] : method) known.methods.add(name)
    paths.set(url, known)
  })
  return {
    methodsOf: path =>
      [...paths.values()].flatMap(({ form, methods }) => (form.test(path) ? [...methods] : [])),
  }
}

function formOf(pattern: string): RegExp {
  const source = pattern
    .split('/')
    .map(part => (part.startsWith(':') ? '[^/]+' : part.replace(/[^\w-]/g, '\\$&')))
    .join('/')
  return new RegExp(`^${source}$`)
}
