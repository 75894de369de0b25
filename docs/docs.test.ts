import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { stripTypeScriptTypes } from 'node:module'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { CompactSign, calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

const paths = ['README.md', 'sdk/README.md', ...globSync('docs/**/*.md', { cwd: ROOT })]
const pages = paths.map(path => ({
  path,
  content: read(path),
}))

describe('every page', () => {
  test.each(pages)('$path links to what is there', ({ path, content }) => {
    expect(linksOf(content).filter(link => !resolves(path, link))).toEqual([])
  })

  test.each(pages)('$path has JavaScript that parses', ({ content }) => {
    for (const code of codeBlocks(content, /^(js|ts)$/)) stripTypeScriptTypes(code)
  })
})

describe('the README', () => {
  test('names each setting that is read, and no other', () => {
    const config = read('services/api/src/shared/config.ts')
    const known = [...config.matchAll(/\bread\('(\w+)'/g)].map(([, name]) => name)
    expect(known.length).toBeGreaterThan(10)
    expect(firstColumn(read('README.md'), '| setting | default | meaning |')).toEqual(known)
  })

  test('names each script that there is', () => {
    const { scripts } = JSON.parse(read('package.json'))
    const named = [...read('README.md').matchAll(/^\| `npm (?:run )?(\w+)`/gm)]
    for (const [, name] of named) expect(scripts).toHaveProperty([name ?? ''])
  })
})

describe('the decisions', () => {
  const decisions = globSync('docs/decisions/*.md', { cwd: ROOT }).sort()

  test('are all in the index, in order', () => {
    const listed = linksOf(read('docs/README.md')).filter(link => link.startsWith('decisions/'))
    expect(listed.map(link => `docs/${link}`)).toEqual(decisions)
  })

  test('are numbered without a gap', () => {
    for (const [index, path] of decisions.entries()) {
      expect(path).toMatch(new RegExp(`/${String(index + 1).padStart(4, '0')}-[a-z0-9-]+\\.md$`))
      expect(read(path)).toMatch(new RegExp(`^# ${index + 1}\\. `))
    }
  })

  test('have a line for each runtime dependency, and no other', () => {
    const manifests = [
      'package.json',
      ...globSync('{services/*,prisma,sdk}/package.json', { cwd: ROOT }),
    ]
    const wanted = new Set(
      manifests.flatMap(path => Object.keys(JSON.parse(read(path)).dependencies ?? {})),
    )
    wanted.delete('@sesame/db')
    const heading = '| dependency | what it replaces | what leaving would cost |'
    const named = firstColumn(read('docs/decisions/0013-dependencies.md'), heading)
    expect(named.toSorted()).toEqual([...wanted].sort())
  })
})

describe('the Node guide', () => {
  const [joseProgram = '', fastifyProgram = ''] = codeBlocks(
    read('docs/guides/verify-with-jwks/node.md'),
    /^js$/,
  )
  let issuer: Issuer
  beforeAll(async () => {
    issuer = await startIssuer()
  })
  afterAll(() => issuer.server.close())

  test('with jose accepts a good token and says whose it is', async () => {
    const { code, stdout } = await runProgram(joseProgram, issuer, await issuer.sign({}))
    expect(JSON.parse(stdout)).toEqual({ sub: 'ada', sid: SESSION_ID, role: 'member' })
    expect(code).toBe(0)
  })

  test.each(['expired', 'other audience', 'other type', 'other key', 'none'] as const)(
    'with jose refuses a token: %s',
    async kind => {
      const { code, stderr } = await runProgram(joseProgram, issuer, await issuer.forge(kind))
      expect(stderr).toMatch(/^refused: /)
      expect(code).toBe(1)
    },
  )

  test('with @fastify/jwt lets a good token in and forged ones out', async () => {
    const port = await freePort()
    const program = startProgram(fastifyProgram, { ...issuer.env, PORT: String(port) })
    try {
      const ask = (token: string) => askWhenReady(`http://localhost:${port}/me`, token)
      const answer = await ask(await issuer.sign({}))
      expect(await answer.json()).toEqual({ user_id: 'ada', session_id: SESSION_ID })
      for (const kind of ['expired', 'other audience', 'other type', 'other key', 'none'] as const)
        expect((await ask(await issuer.forge(kind))).status).toBe(401)
    } finally {
      program.kill()
    }
  })
})

const LINK = /\[[^\]]*\]\(([^)\s]+)\)/g

function linksOf(content: string): string[] {
  const prose = content.replace(/^```[\s\S]*?^```/gm, '')
  return [...prose.matchAll(LINK)].map(([, link]) => link ?? '')
}

function resolves(from: string, link: string): boolean {
  if (/^(https?:|mailto:)/.test(link)) return true
  const [path = '', anchor] = link.split('#')
  const target = path === '' ? join(ROOT, from) : resolve(ROOT, dirname(from), path)
  if (!existsSync(target)) return false
  if (anchor === undefined) return true
  return statSync(target).isFile() && anchorsOf(readFileSync(target, 'utf8')).includes(anchor)
}

/** As GitHub makes them from headings: one that comes again is numbered. */
function anchorsOf(content: string): string[] {
  const counts = new Map<string, number>()
  const ofHeadings = [...content.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => {
    const anchor = heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-')
    const count = counts.get(anchor) ?? 0
    counts.set(anchor, count + 1)
    return count === 0 ? anchor : `${anchor}-${count}`
  })
  return [...ofHeadings, ...[...content.matchAll(/<a id="([^"]+)">/g)].map(([, id = '']) => id)]
}

function codeBlocks(content: string, language: RegExp): string[] {
  return [...content.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
    .filter(([, name = '']) => language.test(name))
    .map(([, , code = '']) => code)
}

/** What stands in back-quotes in the first column of the table with this heading. */
function firstColumn(content: string, heading: string): string[] {
  const [, table = ''] = content.split(`${heading}\n`)
  const rows = /^(?:\|.*\n)+/.exec(table)?.[0] ?? ''
  return [...rows.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name ?? '')
}

const TENANT_ID = 'tnt_01K3Z8Q5V7M2N4P6R8S0T1W3X5'
const SESSION_ID = 'ses_01K3Z8Q5V7M2N4P6R8S0T1W3X6'

type Forgery = 'expired' | 'other audience' | 'other type' | 'other key' | 'none'
type Issuer = Awaited<ReturnType<typeof startIssuer>>

/** A JWK set on a port of its own, and tokens as Sesame writes them. */
async function startIssuer() {
  const signingKey = await createSigningKey()
  const jwkSet = JSON.stringify({ keys: [signingKey.jwk] })
  const server: Server = createServer((request, response) => {
    const isJwkSet = request.url === `/t/${TENANT_ID}/.well-known/jwks.json`
    response.writeHead(isJwkSet ? 200 : 404, { 'content-type': 'application/json' })
    response.end(isJwkSet ? jwkSet : '{}')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const issuer = `http://127.0.0.1:${port}/t/${TENANT_ID}`

  const sign = (claims: object, header: object = {}, by = signingKey): Promise<string> =>
    new CompactSign(Buffer.from(JSON.stringify({ ...claimsOf(issuer), ...claims })))
      .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: signingKey.jwk.kid, ...header })
      .sign(by.privateKey)

  const forge = async (kind: Forgery): Promise<string> => {
    if (kind === 'expired') return sign({ exp: 1_000_000_000 })
    if (kind === 'other audience') return sign({ aud: 'somebody-else' })
    if (kind === 'other type') return sign({}, { typ: 'JWT' })
    if (kind === 'other key') return sign({}, {}, await createSigningKey())
    const header = JSON.stringify({ alg: 'none', typ: 'at+jwt', kid: signingKey.jwk.kid })
    const [, payload] = (await sign({})).split('.')
    return `${Buffer.from(header).toString('base64url')}.${payload}.`
  }
  return { server, sign, forge, env: { ISSUER: issuer, AUDIENCE: TENANT_ID } }
}

async function createSigningKey() {
  const { publicKey, privateKey } = await generateKeyPair('Ed25519')
  const { x } = await exportJWK(publicKey)
  if (x === undefined) throw new Error('an Ed25519 key has no x')
  const kid = await calculateJwkThumbprint({ kty: 'OKP', crv: 'Ed25519', x })
  return { privateKey, jwk: { kty: 'OKP', crv: 'Ed25519', x, kid, alg: 'EdDSA', use: 'sig' } }
}

function claimsOf(issuer: string) {
  const iat = Math.floor(Date.now() / 1000)
  return {
    iss: issuer,
    aud: TENANT_ID,
    sub: 'ada',
    sid: SESSION_ID,
    jti: 'tok_01K3Z8Q5V7M2N4P6R8S0T1W3X7',
    iat,
    exp: iat + 900,
    auth_time: iat,
    tenant_id: TENANT_ID,
    org_id: null,
    role: 'member',
    amr: ['pwd', 'otp'],
    mfa_verified: true,
    client_id: null,
    gen: 0,
  }
}

/** From the command line and in the repository's root, so that its packages are found. */
function startProgram(code: string, env: Record<string, string>): ChildProcess {
  return spawn(process.execPath, ['--input-type=module', '--eval', code], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, ...env },
  })
}

async function runProgram(code: string, { env }: Issuer, token: string) {
  const program = startProgram(code, env)
  program.stdin?.end(`${token}\n`)
  const [stdout, stderr, [exitCode]] = await Promise.all([
    program.stdout === null ? '' : text(program.stdout),
    program.stderr === null ? '' : text(program.stderr),
    once(program, 'exit'),
  ])
  return { code: exitCode, stdout, stderr }
}

async function freePort(): Promise<number> {
  const server = createTcpServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

async function askWhenReady(url: string, token: string): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await fetch(url, { headers: { authorization: `Bearer ${token}` } })
    } catch (error) {
      if (attempt === 100) throw error
      await sleep(100)
    }
  }
}
