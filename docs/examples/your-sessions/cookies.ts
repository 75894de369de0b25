import { AuthenticationError, type Sesame, type SessionTokens, type Verifier } from '@sesame/sdk'
import type { Context } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { createMiddleware } from 'hono/factory'

const ACCESS = 'access_token'
const REFRESH = 'refresh_token'
const REFRESH_LIFE_SECONDS = 30 * 24 * 60 * 60

/** The tokens live in cookies that no script can read; the browser never sees them otherwise. */
export function createCookies(sesame: Sesame, verify: Verifier, { secure }: { secure: boolean }) {
  const options = { httpOnly: true, sameSite: 'Lax', path: '/', secure } as const
  /** What was refreshed for this request counts, not what came with it. */
  const fresh = new WeakMap<Request, string>()

  const accessToken = (c: Context): string | null =>
    fresh.get(c.req.raw) ?? getCookie(c, ACCESS) ?? null

  const set = (c: Context, tokens: SessionTokens): void => {
    fresh.set(c.req.raw, tokens.accessToken)
    setCookie(c, ACCESS, tokens.accessToken, { ...options, maxAge: tokens.expiresIn })
    setCookie(c, REFRESH, tokens.refreshToken, { ...options, maxAge: REFRESH_LIFE_SECONDS })
  }

  const clear = (c: Context): void => {
    for (const name of [ACCESS, REFRESH]) deleteCookie(c, name, options)
  }

  const isExpired = async (token: string | null): Promise<boolean> => {
    if (token === null) return true
    const verification = await verify(token)
    return !verification.valid && verification.reason === 'expired'
  }

  return {
    accessToken,
    set,
    clear,

    /** Trades the refresh token when the access token has expired, before anything looks at it. */
    keepFresh: createMiddleware(async (c, next) => {
      const refreshToken = getCookie(c, REFRESH)
      if (refreshToken !== undefined && (await isExpired(accessToken(c)))) {
        try {
          set(c, await sesame.sessions.refresh({ refreshToken }))
        } catch (error) {
          // The session has ended; anything else is an outage, and no sign-out.
          if (!(error instanceof AuthenticationError)) throw error
          clear(c)
        }
      }
      await next()
    }),

    /** Signs this browser out, where it is signed in. */
    async endSession(c: Context): Promise<void> {
      const token = accessToken(c)
      const verification = token === null ? null : await verify(token)
      if (verification?.valid)
        await sesame.sessions.revoke(verification.session.sessionId, { reason: 'signed_out' })
      clear(c)
    },
  }
}
