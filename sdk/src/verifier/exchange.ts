import type { VerifierRuntime } from './runtime.ts'
import { ServiceError } from './service-error.ts'

/** One bounded request: in time, from the first byte to the last, and in size. */
export interface ExchangeRequest {
  /** Named in errors, such as "the JWK set". */
  what: string
  url: string
  method?: 'GET' | 'POST'
  headers?: Record<string, string>
  body?: string
  maxBytes: number
}

export interface ExchangeAnswer {
  status: number
  headers: Headers
  text: string
}

/** @throws ServiceError where it took too long or was too large; what `fetch` throws else. */
export type Exchange = (request: ExchangeRequest) => Promise<ExchangeAnswer>

export interface ExchangeDeps {
  fetch: typeof globalThis.fetch
  timeoutMs: number
  runtime: VerifierRuntime
  /** Ends every request that is under way. */
  signal: AbortSignal
}

export function createExchange({ fetch, timeoutMs, runtime, signal }: ExchangeDeps): Exchange {
  return request =>
    new Promise((resolve, reject) => {
      const abort = new AbortController()
      const end = (error: Error): void => {
        abort.abort()
        finish()
        // A fetch of somebody's own may not heed its signal: the caller must not wait for it.
        reject(error)
      }
      const onClose = (): void => end(new ServiceError('the verifier was closed'))
      const stopTimer = runtime.startTimer(
        () => end(new ServiceError(`${request.what} took longer than ${timeoutMs} ms`)),
        timeoutMs,
        { isAwaited: true },
      )
      const finish = (): void => {
        stopTimer()
        signal.removeEventListener('abort', onClose)
      }
      if (signal.aborted) return onClose()
      signal.addEventListener('abort', onClose)
      perform(fetch, request, abort.signal).then(resolve, reject).finally(finish)
    })
}

async function perform(
  fetch: typeof globalThis.fetch,
  { what, url, method = 'GET', headers = {}, body, maxBytes }: ExchangeRequest,
  signal: AbortSignal,
): Promise<ExchangeAnswer> {
  // Redirects are answers like any other that is not 200: a key must not travel elsewhere, and a
  // JWK set must not come from elsewhere. ("error" is unknown to Workers.)
  const answer = await fetch(url, {
    method,
    headers,
    signal,
    redirect: 'manual',
    ...(body !== undefined && { body }),
  })
  return {
    status: answer.status,
    headers: answer.headers,
    text: await readText(what, answer, maxBytes),
  }
}

async function readText(what: string, answer: Response, maxBytes: number): Promise<string> {
  if (answer.body === null) return ''
  const reader = answer.body.getReader()
  const utf8 = new TextDecoder()
  let text = ''
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + utf8.decode()
    bytes += value.length
    if (bytes > maxBytes) {
      reader.cancel().catch(() => {})
      throw new ServiceError(`${what} is larger than ${maxBytes} bytes`)
    }
    text += utf8.decode(value, { stream: true })
  }
}
