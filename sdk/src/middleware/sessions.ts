import type { VerifiedSession } from '../verifier/verification.ts'

// Beside the request, not on it: a property could be set by whatever else handles the request.
const sessions = new WeakMap<object, VerifiedSession | null>()

export function rememberSession(request: object, session: VerifiedSession | null): void {
  sessions.set(request, session)
}

/**
 * The session that `requireSession` let through.
 *
 * @throws Error where it did not run, or let a request without a token pass (`optional`).
 */
export function sessionOf(request: object): VerifiedSession {
  const session = sessions.get(request)
  if (session === undefined) throw new Error('no requireSession came before this handler')
  if (session === null) throw new Error('the request has no session: it is optional here')
  return session
}
