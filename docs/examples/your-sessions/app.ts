import { getConnInfo } from '@hono/node-server/conninfo'
import { NotFoundError, type Sesame, type Verifier, VerifierUnavailableError } from '@sesame/sdk'
import { requireSession } from '@sesame/sdk/hono'
import { type Context, Hono } from 'hono'
import { createMiddleware } from 'hono/factory'
import { NONCE, secureHeaders } from 'hono/secure-headers'
import { streamSSE } from 'hono/streaming'
import { createCookies } from './cookies.ts'
import { sessionsPage, signInPage, unavailablePage } from './pages.ts'

export interface AppDeps {
  sesame: Sesame
  verify: Verifier
  /** Where browsers find the app, such as `https://app.example.com`. */
  origin: string
}

/** A user's own sessions: where they are signed in, each with a button that ends it. */
export function createApp({ sesame, verify, origin }: AppDeps) {
  const cookies = createCookies(sesame, verify, { secure: origin.startsWith('https:') })
  const signedIn = requireSession(verify, { getToken: c => cookies.accessToken(c) })
  const nonceOf = (c: Context): string => c.get('secureHeadersNonce') ?? ''

  const app = new Hono()
  app.use(
    secureHeaders({
      // With `no-referrer` browsers send `Origin: null` along with our own forms.
      referrerPolicy: 'same-origin',
      contentSecurityPolicy: {
        defaultSrc: ["'none'"],
        styleSrc: [NONCE],
        scriptSrc: [NONCE],
        connectSrc: ["'self'"],
        formAction: ["'self'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
      },
    }),
    noStore,
    onlyFrom(origin),
    cookies.keepFresh,
  )

  app.get('/', async c => {
    const token = cookies.accessToken(c)
    const verification = token === null ? null : await verify(token)
    if (!verification?.valid) {
      cookies.clear(c)
      return c.html(signInPage({ nonce: nonceOf(c), wasEnded: verification !== null }))
    }
    const { userId, sessionId } = verification.session
    const { data } = await sesame.sessions.list({ userId, limit: 100 }).page()
    return c.html(sessionsPage({ nonce: nonceOf(c), userId, sessionId, sessions: data }))
  })

  // A demo: whoever says a name is let in. This is where you check a password or a passkey.
  app.post('/sign-in', async c => {
    const { name } = await c.req.parseBody()
    if (typeof name !== 'string' || !/^[\w.-]{1,40}$/.test(name)) return c.redirect('/', 303)
    await cookies.endSession(c)
    const tokens = await sesame.sessions.create({
      userId: name,
      amr: ['pwd'],
      userAgent: c.req.header('user-agent') ?? null,
      ipAddress: getConnInfo(c).remote.address ?? null,
    })
    cookies.set(c, tokens)
    return c.redirect('/', 303)
  })

  app.post('/sign-out', signedIn, async c => {
    await cookies.endSession(c)
    return c.redirect('/', 303)
  })

  app.post('/sessions/end-others', signedIn, async c => {
    const { userId, sessionId } = c.get('session')
    await sesame.sessions.revokeAll({ userId, except: sessionId, reason: 'ended_by_user' })
    return c.redirect('/', 303)
  })

  app.post('/sessions/:id/end', signedIn, async c => {
    const session = await findSession(sesame, c.req.param('id'))
    // An id is a name, not a proof: users end their own sessions, and learn of no others.
    if (session?.userId !== c.get('session').userId) return c.notFound()
    await sesame.sessions.revoke(session.id, { reason: 'ended_by_user' })
    return c.redirect('/', 303)
  })

  /** An open page hears at once that its session has ended. */
  app.get('/events', signedIn, c =>
    streamSSE(c, async stream => {
      const isRevoked = await new Promise<boolean>(resolve => {
        const stopListening = verify.onRevoked(c.get('session'), () => resolve(true))
        stream.onAbort(() => {
          stopListening()
          resolve(false)
        })
      })
      if (isRevoked) await stream.writeSSE({ event: 'ended', data: '' })
    }),
  )

  app.onError((error, c) => {
    if (!(error instanceof VerifierUnavailableError)) console.error(error)
    return c.html(unavailablePage({ nonce: nonceOf(c) }), 503)
  })
  return app
}

async function findSession(sesame: Sesame, sessionId: string) {
  try {
    return await sesame.sessions.get(sessionId)
  } catch (error) {
    if (error instanceof NotFoundError || error instanceof TypeError) return null
    throw error
  }
}

const noStore = createMiddleware(async (c, next) => {
  await next()
  c.header('cache-control', 'no-store')
})

/** Cookies come along with forms of other sites: what changes something says where it comes from. */
const onlyFrom = (origin: string) =>
  createMiddleware(async (c, next) => {
    const isReading = c.req.method === 'GET' || c.req.method === 'HEAD'
    if (!isReading && c.req.header('origin') !== origin) return c.text('wrong origin', 403)
    return next()
  })
