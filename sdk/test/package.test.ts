import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createContext, runInContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { build } from 'esbuild'
import { publint } from 'publint'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { VERSION } from '../src/version.ts'
import { type PackedSdk, packSdk } from './packed.ts'

/** A build, a pack and a compiler that checks its libraries too: long on a machine with other work. */
const PATIENCE_MS = 180_000
vi.setConfig({ testTimeout: PATIENCE_MS, hookTimeout: PATIENCE_MS })

let packed: PackedSdk
let manifest: { version: string; dependencies: object; exports: Record<string, unknown> }
beforeAll(() => {
  packed = packSdk()
  manifest = JSON.parse(readFileSync(join(packed.installed, 'package.json'), 'utf8'))
})
afterAll(() => packed?.close())

test('the package says its version, and needs jose alone', () => {
  expect(manifest.version).toBe(VERSION)
  expect(Object.keys(manifest.dependencies)).toEqual(['jose'])
})

test('the package holds what it needs, and no tests', () => {
  const files = readdirSync(packed.installed, { recursive: true, encoding: 'utf8' })
  for (const name of [
    'LICENSE',
    'package.json',
    'dist/index.js',
    'dist/index.d.ts',
    'src/index.ts',
  ])
    expect(files).toContain(name)
  expect(files.filter(name => /\.test|test-d|tsconfig|generate\b/.test(name))).toEqual([])
})

test('each file of an entry is there', () => {
  const targets = JSON.stringify(manifest.exports).match(/\.\/dist\/[^"]+/g) ?? []
  expect(targets.length).toBeGreaterThanOrEqual(14)
  for (const target of targets)
    expect(existsSync(join(packed.installed, target)), target).toBe(true)
})

test('publint has nothing to say', async () => {
  const { messages } = await publint({ pkgDir: packed.installed, pack: false })
  expect(messages.filter(({ type }) => type !== 'suggestion')).toEqual([])
})

test('the types are right for every way to resolve them', async () => {
  const result = await checkPackage(createPackageFromTarballData(readFileSync(packed.tarball)))
  // It is ESM for all, which Node's require takes; and node10 knows no `exports`.
  const problems = ('problems' in result ? result.problems : ['untyped']) as object[]
  const grave = problems.filter(problem => {
    const { kind, resolutionKind } = { kind: '', resolutionKind: '', ...problem }
    return kind !== 'CJSResolvesToESM' && resolutionKind !== 'node10'
  })
  expect(grave).toEqual([])
})

describe('what each entry exports', () => {
  test('is exactly this', () => {
    const entries = Object.keys(manifest.exports).filter(entry => entry !== './package.json')
    const program = `const names = {}
      for (const entry of ${JSON.stringify(entries)})
        names[entry] = Object.keys(await import('@sesame/sdk' + entry.slice(1))).sort()
      console.log(JSON.stringify(names))`
    expect(JSON.parse(packed.run('entries.mjs', program))).toMatchInlineSnapshot(`
      {
        ".": [
          "ApiError",
          "AuthenticationError",
          "BadRequestError",
          "ConflictError",
          "ConnectionError",
          "InvalidResponseError",
          "NotFoundError",
          "PermissionDeniedError",
          "RateLimitError",
          "ServerError",
          "Sesame",
          "SesameError",
          "TimeoutError",
          "VERSION",
          "VerifierUnavailableError",
          "createVerifier",
        ],
        "./express": [
          "requireSession",
          "sessionOf",
        ],
        "./fastify": [
          "requireSession",
          "sessionOf",
          "sessionPlugin",
        ],
        "./hono": [
          "requireSession",
          "sessionOf",
        ],
        "./next": [
          "sessionProxy",
          "withSession",
        ],
        "./node": [
          "requireSession",
          "sessionOf",
        ],
        "./testing": [
          "createHostileTokens",
          "createTestTenant",
        ],
      }
    `)
  })
})

describe('a project that installed it', () => {
  const program = `
    const sesame = new Sesame({ secretKey: 'ok_' + 'a'.repeat(32), maxRetries: 0,
      fetch: async () => new Response('{"code":"session_not_found"}', { status: 404 }) })
    sesame.sessions.get('ses_1').catch(error => console.log(error.name, error instanceof NotFoundError))`

  test('imports it', () => {
    const lines = `import { NotFoundError, Sesame } from '@sesame/sdk'${program}`
    expect(packed.run('main.mjs', lines)).toBe('NotFoundError true\n')
  })

  test('requires it', () => {
    const lines = `const { NotFoundError, Sesame } = require('@sesame/sdk')${program}`
    expect(packed.run('main.cjs', lines)).toBe('NotFoundError true\n')
  })
})

describe('a project in TypeScript compiles, with the libraries checked too', () => {
  const program = `
    import { Sesame, createVerifier, NotFoundError, type Session, type Verification } from '@sesame/sdk'
    const sesame = new Sesame({ secretKey: 'sk', fetch, timeoutMs: 5_000 })
    export async function list(userId: string, signal: AbortSignal): Promise<Session[]> {
      const sessions: Session[] = []
      for await (const session of sesame.sessions.list({ userId }, { signal })) sessions.push(session)
      return sessions
    }
    export const verify: (token: string) => Promise<Verification> = createVerifier({ issuer: 'x' })
    export const isMissing = (error: unknown): boolean =>
      error instanceof NotFoundError && error.status === 404 && error.fieldErrors.length === 0
    // @ts-expect-error the types are really there
    sesame.sessions.create({ user: 'ada' })
  `
  const strict = {
    strict: true,
    noEmit: true,
    skipLibCheck: false,
    exactOptionalPropertyTypes: true,
  }
  const web = { ...strict, lib: ['es2022', 'dom', 'dom.iterable', 'dom.asynciterable'], types: [] }
  const onNode = { ...strict, lib: ['es2024'], types: ['node'] }
  const node = { module: 'nodenext', target: 'es2024' }
  const bundler = { module: 'esnext', moduleResolution: 'bundler', target: 'es2022' }

  beforeAll(() => {
    for (const name of ['@types/node', 'undici-types'])
      cpSync(
        join(import.meta.dirname, '../../node_modules', name),
        join(packed.project, 'node_modules', name),
        { recursive: true },
      )
    writeFileSync(join(packed.project, 'main.mts'), program)
    writeFileSync(join(packed.project, 'main.cts'), program)
  })

  test.each([
    ['nodenext, with the types of Node', 'typescript-5', { ...onNode, ...node }],
    ['nodenext, with TypeScript 7', 'typescript-7', { ...onNode, ...node }],
    ['a bundler, with the types of the web', 'typescript-7', { ...web, ...bundler }],
  ] as const)('%s', (_, compiler, compilerOptions) => {
    const files = ['main.mts', ...('moduleResolution' in compilerOptions ? [] : ['main.cts'])]
    packed.compile(compiler, { compilerOptions, files })
  })
})

/** The bundle of a module that uses these exports, for no runtime in particular. */
async function bundle(names: string): Promise<{ bytes: number; inputs: string[]; text: string }> {
  const { outputFiles, metafile } = await build({
    stdin: { contents: `export { ${names} } from '@sesame/sdk'`, resolveDir: packed.project },
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: 'esm',
    // Knows nothing that only Node has: a `node:` import would fail.
    platform: 'neutral',
    target: 'es2024',
  })
  const [file] = outputFiles
  if (file === undefined) throw new Error('no bundle')
  const inputs = Object.values(metafile.outputs).flatMap(output => Object.keys(output.inputs))
  return { bytes: gzipSync(file.contents).byteLength, inputs, text: file.text }
}

describe('a bundle', () => {
  test('of the client is under 12 kB, and has nothing of the verifier or jose', async () => {
    const { bytes, inputs, text } = await bundle('Sesame')
    expect(bytes).toBeLessThan(12_000)
    const others = inputs.filter(input => /verifier|jose|testing/.test(input))
    expect(others.filter(input => !input.endsWith('/sse-parser.js'))).toEqual([])
    expect(text).not.toContain('node:')
  })

  test('of the verifier with jose is under 15 kB, and has nothing of the client', async () => {
    const { bytes, inputs, text } = await bundle('createVerifier')
    expect(bytes).toBeLessThan(15_000)
    expect(inputs.filter(input => /resources|transport/.test(input))).toEqual([])
    expect(text).not.toContain('node:')
  })

  test('of the client runs where there is nothing but the web', async () => {
    const { text } = await bundle('Sesame')
    const asked: string[] = []
    const context = createContext({
      ...{ AbortController, crypto, setTimeout, clearTimeout, TextDecoder, TextEncoder, URL, btoa },
      ...{ URLSearchParams, navigator: { userAgent: 'Cloudflare-Workers' } },
      fetch: async (url: string) => {
        asked.push(url)
        return Response.json({ id: 'ses_1', user_id: 'ada', status: 'active' })
      },
    })
    const program = text.replace(/export\{(\w+) as Sesame\};?/, 'globalThis.Sesame=$1;')
    runInContext(program, context)
    const call = `new Sesame({ secretKey: 'ok_' + 'a'.repeat(32) }).sessions.get('ses_1')`
    expect(await runInContext(call, context)).toMatchObject({ userId: 'ada' })
    expect(asked).toEqual(['http://127.0.0.1:3000/v1/sessions/ses_1'])
  })

  test('of the errors alone is small', async () => {
    expect((await bundle('NotFoundError')).bytes).toBeLessThan(1_000)
  })
})
