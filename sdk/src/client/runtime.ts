import { VERSION } from '../version.ts'

interface Globals {
  window?: unknown
  document?: unknown
  navigator?: { userAgent?: string; product?: string }
}

/**
 * A secret key that reaches a browser or a phone is everyone's. Workers of browsers have no document,
 * but call themselves Mozilla as all browsers do; servers do not.
 *
 * @throws TypeError there.
 */
export function refuseBrowser({ window, document, navigator }: Globals = globalThis): void {
  const isPage = window !== undefined && document !== undefined
  const isWorker = /^Mozilla\//.test(navigator?.userAgent ?? '')
  if (isPage || isWorker || navigator?.product === 'ReactNative')
    throw new TypeError(
      'Sesame runs in your backend: here everyone could read its secret key. ' +
        'Send the access token to your backend, and verify it there',
    )
}

/** Such as `sesame-sdk/0.1.0 (Node.js/24)`. */
export function userAgent({ navigator }: Globals = globalThis): string {
  const runtime = navigator?.userAgent?.replace(/[^\x21-\x7e]/g, '').slice(0, 64)
  return `sesame-sdk/${VERSION} (${runtime || 'unknown'})`
}
