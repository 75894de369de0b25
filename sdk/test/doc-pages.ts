import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { build } from 'esbuild'

export const ROOT = resolve(import.meta.dirname, '../..')
const SOURCES = join(ROOT, 'sdk/src')

/** Where the entries of the package are, as its `exports` would say once it is built. */
export const ENTRIES: Record<string, string> = {
  '@sesame/sdk': join(SOURCES, 'index.ts'),
  ...Object.fromEntries(
    ['express', 'fastify', 'hono', 'next', 'node'].map(name => [
      `@sesame/sdk/${name}`,
      join(SOURCES, `${name}.ts`),
    ]),
  ),
  '@sesame/sdk/testing': join(SOURCES, 'testing/index.ts'),
}

/**
 * The files that the code blocks of a page are: a block that begins with `// name` begins a file, one
 * that does not goes on with it. A name that comes again is another version of that file.
 */
export function filesOf(page: string): Map<string, string> {
  const markdown = readFileSync(join(ROOT, page), 'utf8')
  const files = new Map<string, string>()
  let current = ''
  for (const [, , code = ''] of markdown.matchAll(/^```(js|ts)\n([\s\S]*?)^```$/gm)) {
    const name = /^\/\/ (\S+\.(?:ts|mjs|cjs))\n/.exec(code)?.[1]
    if (name === undefined) {
      if (current === '') throw new Error(`${page}: the first block has no file name`)
      files.set(current, `${files.get(current)}\n${code}`)
    } else {
      current = files.has(name) ? name.replace('.ts', '-2.ts') : name
      files.set(current, code)
    }
  }
  return files
}

/** What code blocks import of Next, which is too large to be installed for a few types. */
const NEXT_TYPES = `
declare module 'next/server' {
  export interface NextRequest extends Request {
    readonly cookies: { get(name: string): { value: string } | undefined }
  }
}
declare module 'next/headers' {
  export function cookies(): Promise<{ get(name: string): { value: string } | undefined }>
}
`

interface BundleOptions {
  alias?: Record<string, string>
  /** Default: beside the file. */
  outfile?: string
}

export interface DocFolder {
  folder: string
  /** Writes the files of a page. */
  write(page: string): string[]
  /** Makes a program of a file that Node runs as it is. */
  bundle(file: string, options?: BundleOptions): Promise<string>
  remove(): void
}

/** A folder in which the packages of this repository are found. */
export function createDocFolder(): DocFolder {
  const folder = join(ROOT, `sdk/node_modules/.cache/docs-${process.pid}`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  writeFileSync(join(folder, 'next.d.ts'), NEXT_TYPES)
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(TSCONFIG))
  return {
    folder,
    write(page) {
      return [...filesOf(page)].map(([name, code]) => {
        const path = join(folder, page.replaceAll('/', '_'), name)
        mkdirSync(dirname(path), { recursive: true })
        writeFileSync(path, code)
        return path
      })
    },
    async bundle(file, { alias = {}, outfile = programOf(file) } = {}) {
      const isCommonJs = file.endsWith('.cjs')
      await build({
        entryPoints: [file],
        outfile,
        bundle: true,
        platform: 'node',
        format: isCommonJs ? 'cjs' : 'esm',
        alias: { ...ENTRIES, ...alias },
        external: [
          'express',
          'fastify',
          'hono',
          '@hono/node-server',
          ...(isCommonJs ? [] : ['jose']),
        ],
        logLevel: 'silent',
      })
      return outfile
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

const programOf = (file: string): string =>
  file.replace(/\.(ts|mjs|cjs)$/, file.endsWith('.cjs') ? '.run.cjs' : '.run.mjs')

/** As strict as a careful user's; the names of the package lead to its sources. */
const TSCONFIG = {
  compilerOptions: {
    strict: true,
    noEmit: true,
    target: 'es2024',
    module: 'esnext',
    moduleResolution: 'bundler',
    lib: ['es2024'],
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules/@types')],
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    paths: Object.fromEntries(Object.entries(ENTRIES).map(([name, path]) => [name, [path]])),
  },
  include: ['**/*.ts'],
}
