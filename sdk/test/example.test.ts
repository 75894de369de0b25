import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createStage, freePort, shownBy } from '../../services/api/acceptance/service.ts'
import { Sesame } from '../src/index.ts'
import { createDocFolder, ROOT } from './doc-pages.ts'

const stage = createStage()
const docs = createDocFolder()
let origin: string
let app: ChildProcess
let sesame: Sesame
let key: string

beforeAll(async () => {
  const service = await stage.start()
  const shown = shownBy(service.stdout())
  key = shown.key
  sesame = new Sesame({ secretKey: key, baseUrl: service.url })
  const port = await freePort()
  origin = `http://localhost:${port}`
  const outfile = join(docs.folder, 'your-sessions.mjs')
  await docs.bundle(join(ROOT, 'docs/examples/your-sessions/server.ts'), { outfile })
  app = spawn(process.execPath, [outfile], {
    env: {
      PATH: process.env.PATH,
      SESAME_ISSUER: `${service.url}/t/${shown.tenantId}`,
      SESAME_SECRET_KEY: key,
      APP_URL: origin,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let errors = ''
  app.stderr?.setEncoding('utf8').on('data', chunk => (errors += chunk))
  const failed = once(app, 'exit').then(() => Promise.reject(new Error(`not up: ${errors}`)))
  failed.catch(() => {})
  if (app.stdout !== null) await Promise.race([once(app.stdout, 'data'), failed])
})
afterAll(async () => {
  const exited = once(app, 'exit')
  app.kill('SIGKILL')
  await exited
  docs.remove()
  await stage.end()
})

/** A browser: a jar of cookies, and a user agent. */
function openBrowser(userAgent: string) {
  const jar = new Map<string, string>()
  const send = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const cookie = Array.from(jar, pair => pair.join('=')).join('; ')
    const response = await fetch(origin + path, {
      redirect: 'manual',
      ...init,
      headers: { 'user-agent': userAgent, cookie, ...init.headers },
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (/max-age=0/i.test(line)) jar.delete(name)
      else jar.set(name, value)
    }
    return response
  }
  return {
    jar,
    send,
    page: async () => (await send('/')).text(),
    post: (path: string, fields: Record<string, string> = {}, from = origin) =>
      send(path, { method: 'POST', headers: { origin: from }, body: new URLSearchParams(fields) }),
  }
}

const CHROME =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36'
const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'

const endLinks = (page: string): string[] =>
  [...page.matchAll(/action="(\/sessions\/ses_\w+\/end)"/g)].map(([, path = '']) => path)

async function signIn(name: string, userAgent = CHROME) {
  const browser = openBrowser(userAgent)
  expect((await browser.post('/sign-in', { name })).status).toBe(303)
  return browser
}

/** Until the app has heard of it, which it does by the feed. */
const untilSignedOut = (browser: ReturnType<typeof openBrowser>) =>
  expect.poll(() => browser.page(), { timeout: 5_000 }).toContain('<h1>Sign in</h1>')

describe('the example', () => {
  test('lists where a user is signed in, and ends the other one at once', async () => {
    const desk = await signIn('ada')
    const phone = await signIn('ada', FIREFOX)
    const page = await desk.page()
    expect(page).toContain('Chrome on Windows')
    expect(page).toContain('Firefox on Linux')
    expect(page.match(/This device/g)).toHaveLength(1)
    const [end = '', ...more] = endLinks(page)
    expect(more).toEqual([])

    const events = await phone.send('/events')
    expect(events.status).toBe(200)
    const heard = events.text()
    expect((await desk.post(end)).status).toBe(303)
    expect(await heard).toContain('event: ended')
    expect((await phone.send('/events')).status).toBe(401)
    expect(await phone.page()).toContain('This session has ended')
    expect(await desk.page()).toContain('nowhere else')
  })

  test('ends all others, and keeps this one', async () => {
    const [first, second, third] = [
      await signIn('grace'),
      await signIn('grace'),
      await signIn('grace'),
    ]
    expect((await second.post('/sessions/end-others')).status).toBe(303)
    await untilSignedOut(first)
    await untilSignedOut(third)
    expect(await second.page()).toContain('Your sessions')
  })

  test('signs out', async () => {
    const browser = await signIn('alan')
    const old = new Map(browser.jar)
    await browser.post('/sign-out')
    expect(browser.jar.size).toBe(0)
    for (const [name, value] of old) browser.jar.set(name, value)
    await untilSignedOut(browser)
  })

  test('ends no session of somebody else', async () => {
    const [mallory, victim] = [await signIn('mallory'), await signIn('victim')]
    const { data } = await sesame.sessions.list({ userId: 'victim' }).page()
    for (const id of [data[0]?.id, 'ses_01K3Z8Q5V7M2N4P6R8S0T1W3X5', '..%2f..%2ftenants', 'x'])
      expect((await mallory.post(`/sessions/${id}/end`)).status).toBe(404)
    expect(await victim.page()).toContain('Your sessions')
  })

  test('takes no form from another site', async () => {
    const browser = await signIn('eve')
    for (const path of ['/sign-in', '/sign-out', '/sessions/end-others'])
      for (const from of ['https://evil.test', 'null', `${origin}.evil.test`])
        expect((await browser.post(path, { name: 'x' }, from)).status).toBe(403)
    expect((await browser.send('/sign-out', { method: 'POST' })).status).toBe(403)
    expect(await browser.page()).toContain('Your sessions')
  })

  test('refreshes when the access token has gone', async () => {
    const browser = await signIn('edsger')
    const refreshToken = browser.jar.get('refresh_token')
    browser.jar.delete('access_token')
    expect(await browser.page()).toContain('Your sessions')
    expect(browser.jar.get('access_token')).toMatch(/^ey/)
    expect(browser.jar.get('refresh_token')).not.toBe(refreshToken)
  })

  test('keeps tokens out of the reach of scripts, and scripts of others out of the page', async () => {
    const browser = openBrowser(CHROME)
    const response = await browser.post('/sign-in', { name: 'barbara' })
    for (const line of response.headers.getSetCookie())
      expect(line).toMatch(/HttpOnly.*SameSite=Lax/)
    const page = await browser.send('/')
    const policy = page.headers.get('content-security-policy') ?? ''
    const text = await page.text()
    const [, nonce = ''] = /script-src 'nonce-([^']+)'/.exec(policy) ?? []
    expect(nonce).not.toBe('')
    expect(policy).toContain("default-src 'none'")
    expect(text.match(/<script/g)).toHaveLength(1)
    expect(text).toContain(`<script nonce="${nonce}">`)
    expect(text).not.toMatch(/ style=| on\w+="/)
    expect(page.headers.get('cache-control')).toBe('no-store')
    // Or else browsers would not say where our own forms come from.
    expect(page.headers.get('referrer-policy')).toBe('same-origin')
    for (const secret of [key, ...browser.jar.values()]) expect(text).not.toContain(secret)
  })

  test('escapes what a user agent says of itself', async () => {
    const browser = await signIn('kurt', '<img src=x onerror=alert(1)>/1.0 "><script>')
    expect(await browser.page()).not.toMatch(/<img|"><script>/)
    expect((await browser.post('/sign-in', { name: '<b>' })).status).toBe(303)
  })

  test('ends the old session of a browser that signs in again', async () => {
    const browser = await signIn('donald')
    await browser.post('/sign-in', { name: 'donald' })
    const { data } = await sesame.sessions.list({ userId: 'donald' }).page()
    expect(data).toHaveLength(1)
  })
})
