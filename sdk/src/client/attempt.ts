import { ConnectionError, InvalidResponseError, SesameError, TimeoutError } from '../errors.ts'
import { withDeadline } from './deadline.ts'
import { apiErrorOf, requestIdOf } from './problem.ts'
import { readText } from './read-body.ts'
import { plainCause, reasonOf } from './redact.ts'

/** A request that is ready to be sent, as often as it takes. */
export interface WireRequest {
  /** Its route, for messages: without ids. */
  route: string
  /** What no error may repeat, whoever says it. */
  secretKey: string
  url: string
  method: string
  headers: Record<string, string>
  body: string | null
}

export interface AttemptOptions {
  fetch: typeof globalThis.fetch
  timeoutMs: number
  signal: AbortSignal | undefined
}

export interface WireAnswer {
  status: number
  text: string
  refuse: Refuse
}

const MAX_BODY_BYTES = 8 * 1024 * 1024
const MAX_PROBLEM_BYTES = 64 * 1024

/**
 * One attempt: what `read` makes of a good answer, within the time-out.
 *
 * @throws ApiError, ConnectionError, TimeoutError, InvalidResponseError, or the signal's reason.
 */
export function attempt<T>(
  request: WireRequest,
  { fetch, timeoutMs, signal }: AttemptOptions,
  read: (response: Response, refuse: Refuse) => Promise<T>,
): Promise<T> {
  const onTimeout = () =>
    new TimeoutError(`${request.route} was not answered within ${timeoutMs} ms`, {
      code: 'timeout',
    })
  return withDeadline({ timeoutMs, onTimeout, signal }, async limit => {
    const { url, method, headers, body } = request
    try {
      // A redirect is not followed: the secret key would go wherever it points.
      const init: RequestInit = { method, headers, body, signal: limit, redirect: 'manual' }
      const response = await fetch(url, init)
      const refuse = refuserOf(request, response)
      await checkStatus(request, response, refuse)
      return await read(response, refuse)
    } catch (error) {
      throw error instanceof SesameError ? error : unreachable(request, error)
    }
  })
}

/** Makes the error for an answer that Sesame does not give, and leaves the rest of it unread. */
export type Refuse = (what: string, code?: string) => InvalidResponseError

function refuserOf({ route, secretKey }: WireRequest, response: Response): Refuse {
  const { status, headers } = response
  return (what, code = 'response_invalid') => {
    if (!response.bodyUsed) response.body?.cancel().catch(() => {})
    const facts = { code, status, requestId: requestIdOf(headers, secretKey) }
    return new InvalidResponseError(`${route}: ${what}`, facts)
  }
}

async function checkStatus(
  { secretKey }: WireRequest,
  response: Response,
  refuse: Refuse,
): Promise<void> {
  const { status, headers } = response
  if (response.redirected || response.type === 'opaqueredirect' || isRedirect(status))
    throw refuse(`redirected to ${originOf(headers)}: baseUrl is the final URL`, 'redirect_refused')
  if (status >= 400) {
    // Also with half a body, the status says what happened.
    const body = await readText(response, MAX_PROBLEM_BYTES).catch(() => ({ fault: 'cut off' }))
    throw apiErrorOf(response, 'text' in body ? body.text : '', secretKey)
  }
  if (!response.ok) throw refuse(`answered ${status}`)
}

/** Reads an answer as text. */
export async function readAnswer(response: Response, refuse: Refuse): Promise<WireAnswer> {
  const body = await readText(response, MAX_BODY_BYTES)
  if ('fault' in body) throw refuse(`answered ${body.fault}`)
  return { status: response.status, text: body.text, refuse }
}

const isRedirect = (status: number): boolean => status >= 300 && status < 400

/** Without the path: it may hold what the redirect was made for. */
function originOf(headers: Headers): string {
  const location = headers.get('location') ?? ''
  return URL.canParse(location) ? new URL(location).origin : 'another path'
}

/** Whatever fetch failed with, as an error of this package. */
export function unreachable(
  { route, url, secretKey }: WireRequest,
  error: unknown,
): ConnectionError {
  const cause = plainCause(error, secretKey)
  const message = `${route} was not answered by ${new URL(url).origin}: ${reasonOf(cause)}`
  return new ConnectionError(message, { code: 'connection_failed', cause })
}
