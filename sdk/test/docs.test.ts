import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  createStage,
  freePort,
  type Service,
  shownBy,
} from '../../services/api/acceptance/service.ts'
import { Sesame, type SessionTokens } from '../src/index.ts'
import { createDocFolder, ROOT } from './doc-pages.ts'

const README = 'sdk/README.md'
const SERVERS = ['express', 'fastify', 'hono', 'node-http']
const guideOf = (name: string): string => `docs/guides/sdk/${name}.md`

const stage = createStage()
const docs = createDocFolder()
let service: Service
let sesame: Sesame
let env: Record<string, string>
const files: string[] = []

beforeAll(async () => {
  for (const page of [README, ...SERVERS.map(guideOf), guideOf('nextjs')])
    files.push(...docs.write(page))
  service = await stage.start()
  const { key, tenantId } = shownBy(service.stdout())
  sesame = new Sesame({ secretKey: key, baseUrl: service.url })
  env = {
    PATH: process.env.PATH ?? '',
    SESAME_URL: service.url,
    SESAME_ISSUER: `${service.url}/t/${tenantId}`,
    SESAME_SECRET_KEY: key,
  }
})
afterAll(async () => {
  docs.remove()
  await stage.end()
})

const fileOf = (page: string, name: string): string => {
  const file = files.find(path => path.endsWith(join(page.replaceAll('/', '_'), name)))
  if (file === undefined) throw new Error(`${page} has no ${name}`)
  return file
}

async function start(file: string, more: Record<string, string> = {}): Promise<ChildProcess> {
  return spawn(process.execPath, [await docs.bundle(file)], { env: { ...env, ...more } })
}

/** Runs a program to its end. */
async function run(page: string, name: string) {
  const program = await start(fileOf(page, name))
  const [stdout, stderr, [code]] = await Promise.all([
    program.stdout === null ? '' : text(program.stdout),
    program.stderr === null ? '' : text(program.stderr),
    once(program, 'exit'),
  ])
  return { stdout, stderr, code }
}

/** Runs a server while something is tried on it. */
async function withServer(file: string, use: (url: string) => Promise<void>): Promise<void> {
  const port = await freePort()
  const program = await start(file, { PORT: String(port) })
  let stderr = ''
  program.stderr?.setEncoding('utf8').on('data', chunk => (stderr += chunk))
  const url = `http://localhost:${port}`
  try {
    for (let attempt = 1; ; attempt++) {
      const isUp = await fetch(url).then(
        () => true,
        () => false,
      )
      if (isUp) break
      if (program.exitCode !== null || attempt > 200) throw new Error(`not up: ${stderr}`)
      await sleep(50)
    }
    await use(url)
  } finally {
    const exited = once(program, 'exit')
    program.kill('SIGKILL')
    await exited
  }
}

const signIn = (params: { role?: string; amr?: string[] } = {}): Promise<SessionTokens> =>
  sesame.sessions.create({ userId: 'ada', ...params })

const withToken = ({ accessToken }: SessionTokens) => ({
  headers: { authorization: `Bearer ${accessToken}` },
})

describe('every code block', () => {
  test('compiles', async () => {
    const tsc = join(ROOT, 'node_modules/.bin/tsc')
    const checked = promisify(execFile)(tsc, ['-p', docs.folder]).catch(error => error)
    expect((await checked).stdout).toBe('')
  })
})

describe('the README', () => {
  test('gets a stranger to a protected route, and a revoked session is refused', async () => {
    const commands = /^```sh\n(TOKEN=[\s\S]*?)^```$/m.exec(
      readFileSync(join(ROOT, README), 'utf8'),
    )?.[1]
    await withServer(fileOf(README, 'server.mjs'), async url => {
      const script = (commands ?? '').replaceAll('http://localhost:8080', url)
      const { stdout } = await promisify(execFile)('bash', ['-euc', script])
      const [me, signedOut, refused] = stdout.trim().split('\n')
      expect(JSON.parse(me ?? '')).toMatchObject({ userId: 'ada' })
      expect([signedOut, refused].join('')).toMatch(/"reason":"session_revoked"\}$/)
    })
  })

  test('shows a client that works', async () => {
    const { stdout, stderr, code } = await run(README, 'client.ts')
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 })
    expect(stdout).toMatch(/^ses_\w+ Firefox on Linux$/m)
    expect(stdout).toMatch(/^ada$/m)
    expect(stdout).toMatch(/^\d+ sessions ended$/m)
  })

  test('shows how errors are told apart', async () => {
    expect(await run(README, 'errors.ts')).toEqual({
      stdout: 'there is no such session\n',
      stderr: '',
      code: 0,
    })
  })

  test('shows a verifier that works', async () => {
    const { stdout, stderr, code } = await run(README, 'verifier.ts')
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 })
    expect(stdout).toMatch(/^ada ses_\w+ null false$/m)
    expect(stdout).toContain("{ valid: false, reason: 'session_revoked' }")
    expect(stdout).toContain("feed: 'streaming'")
  })

  test('shows tests that pass', async () => {
    const { stdout, code } = await run(README, 'app.test.ts')
    expect(stdout).toMatch(/pass 4$/m)
    expect(code).toBe(0)
  })

  test('shows CommonJS that works', async () => {
    const { stdout, code } = await run(README, 'server.cjs')
    expect(stdout).toBe("{ valid: false, reason: 'malformed' }\n")
    expect(code).toBe(0)
  })
})

describe.each(SERVERS)('the guide for %s', name => {
  test('shows an app that does what it says', async () => {
    await withServer(fileOf(guideOf(name), 'server.ts'), async url => {
      const [member, admin] = [
        await signIn({ role: 'member', amr: ['pwd'] }),
        await signIn({ role: 'admin', amr: ['pwd', 'otp'] }),
      ]
      const status = async (path: string, init?: RequestInit) =>
        (await fetch(url + path, init)).status
      const me = await fetch(`${url}/me`, withToken(member))
      expect(await me.json()).toEqual({ userId: 'ada', role: 'member' })
      expect(await status('/me')).toBe(401)

      expect(await status('/admin', withToken(member))).toBe(403)
      expect(await status('/admin', withToken(admin))).toBe(200)
      const stepUp = await fetch(`${url}/account`, { method: 'DELETE', ...withToken(member) })
      expect(stepUp.status).toBe(401)
      expect(stepUp.headers.get('www-authenticate')).toContain('acr_values="mfa", max_age="300"')
      expect(await status('/account', { method: 'DELETE', ...withToken(admin) })).toBe(204)

      expect(await (await fetch(`${url}/news`)).json()).toEqual({ for: 'everybody' })
      expect(await (await fetch(`${url}/news`, withToken(admin))).json()).toEqual({ for: 'ada' })

      const cookie = `theme=dark; access_token=${member.accessToken}`
      const page = await fetch(`${url}/page`, { headers: { cookie } })
      expect(await page.text()).toBe('Hello ada')
      expect(await status('/page', withToken(member))).toBe(401)

      if (name !== 'node-http') {
        expect(await status('/api/greeting')).toBe(401)
        const greeting = await fetch(`${url}/api/greeting`, withToken(member))
        expect(await greeting.json()).toEqual({ hello: 'ada' })
      }
    })
  })

  test('shows a stream that ends when its session does', async () => {
    await withServer(fileOf(guideOf(name), 'server.ts'), async url => {
      const tokens = await signIn()
      const stream = await fetch(`${url}/events`, withToken(tokens))
      expect(stream.status).toBe(200)
      const all = stream.text()
      await sesame.sessions.revoke(tokens.session.id)
      expect(await all).toContain('data: hello\n\n')
    })
  })
})

test('the guide for node:http shows a socket that closes when its session ends', async () => {
  await withServer(fileOf(guideOf('node-http'), 'server.ts'), async url => {
    const tokens = await signIn()
    const upgrade = async (token: string) => {
      const socket = connect(Number(new URL(url).port), 'localhost')
      const lines = ['GET / HTTP/1.1', 'Host: x', 'Upgrade: echo', 'Connection: Upgrade']
      socket.write(`${lines.join('\r\n')}\r\nAuthorization: Bearer ${token}\r\n\r\n`)
      const [answer] = await once(socket.setEncoding('utf8'), 'data')
      return { socket, answer }
    }
    expect((await upgrade('x.y.z')).answer).toMatch(/^HTTP\/1\.1 401 /)
    const { socket, answer } = await upgrade(tokens.accessToken)
    expect(answer).toMatch(/^HTTP\/1\.1 101 /)
    socket.write('ping')
    expect((await once(socket, 'data'))[0]).toBe('ping')
    const closed = once(socket, 'close')
    await sesame.sessions.revoke(tokens.session.id)
    await closed
  })
})

describe('the guide for Next', () => {
  type Handler = (request: Request, context?: unknown) => Promise<Response>
  interface Guide {
    me: { GET: Handler }
    project: { GET: Handler; DELETE: Handler }
    events: { GET: Handler }
    api: { proxy(request: Request): Promise<Response | undefined> }
    pages: { proxy(request: Request): Promise<Response | undefined> }
    session: { currentSession(): Promise<{ userId: string } | null> }
    cookies: { jar: Map<string, { value: string }> }
    lib: { verifier(): { close(): void } }
  }
  let guide: Guide
  beforeAll(async () => {
    const folder = join(docs.folder, guideOf('nextjs').replaceAll('/', '_'))
    const headers = join(folder, 'next-headers.mjs')
    writeFileSync(headers, 'export const jar = new Map(); export const cookies = async () => jar')
    const entry = join(folder, 'entry.mjs')
    const parts = {
      me: './app/api/me/route',
      project: './app/api/projects/[id]/route',
      events: './app/api/events/route',
      api: './proxy',
      pages: './proxy-2',
      session: './lib/session',
      cookies: 'next/headers',
      lib: './lib/verify',
    }
    const lines = Object.entries(parts).map(([name, path]) => `export * as ${name} from '${path}'`)
    writeFileSync(entry, lines.join('\n'))
    Object.assign(process.env, env)
    guide = await import(await docs.bundle(entry, { alias: { 'next/headers': headers } }))
  })
  afterAll(() => guide.lib.verifier().close())

  const ask = (path: string, init?: RequestInit) => new Request(`https://app.test${path}`, init)

  test('shows route handlers that protect themselves', async () => {
    const [member, admin] = [
      await signIn({ role: 'member' }),
      await signIn({ role: 'admin', amr: ['mfa'] }),
    ]
    expect((await guide.me.GET(ask('/api/me'))).status).toBe(401)
    const me = await guide.me.GET(ask('/api/me', withToken(member)))
    expect(await me.json()).toEqual({ userId: 'ada', role: 'member' })
    const context = { params: Promise.resolve({ id: 'p1' }) }
    const project = await guide.project.GET(ask('/api/projects/p1', withToken(member)), context)
    expect(await project.json()).toEqual({ project: 'p1', owner: 'ada' })
    const remove = (tokens: SessionTokens) =>
      guide.project.DELETE(ask('/api/projects/p1', withToken(tokens)), context)
    expect((await remove(member)).status).toBe(403)
    expect((await remove(admin)).status).toBe(204)
  })

  test('shows a proxy that refuses, or lets go on', async () => {
    expect((await guide.api.proxy(ask('/api/me')))?.status).toBe(401)
    expect(await guide.api.proxy(ask('/api/me', withToken(await signIn())))).toBeUndefined()
  })

  test('shows a proxy for pages, which sends strangers to sign in', async () => {
    const { accessToken } = await signIn()
    const page = (token: string) => {
      const cookies = { get: () => ({ value: token }) }
      return Object.assign(ask('/account'), { cookies })
    }
    expect(await guide.pages.proxy(page(accessToken))).toBeUndefined()
    const answer = await guide.pages.proxy(page('x.y.z'))
    expect(answer?.status).toBe(302)
    expect(answer?.headers.get('location')).toBe('https://app.test/sign-in')
  })

  test('shows who is signed in to a server component', async () => {
    expect(await guide.session.currentSession()).toBeNull()
    guide.cookies.jar.set('access_token', { value: (await signIn()).accessToken })
    expect(await guide.session.currentSession()).toMatchObject({ userId: 'ada' })
  })

  test('shows a stream that ends when its session does', async () => {
    const tokens = await signIn()
    const stream = await guide.events.GET(ask('/api/events', withToken(tokens)))
    const all = stream.text()
    await sesame.sessions.revoke(tokens.session.id)
    expect(await all).toBe('data: hello\n\n')
  })
})
