/** Where `npm start` of Sesame serves. */
const DEFAULT_BASE_URL = 'http://127.0.0.1:3000'

const LOOPBACK = /^(?:localhost|.+\.localhost|127(?:\.\d+){3}|\[::1\])$/

/**
 * Where the API is, without a slash at the end. A path in front of `/v1` stays.
 *
 * @throws TypeError for what is no such URL, and for plain http to another machine: the secret key
 *   would travel where anyone on the way can read it.
 */
export function checkBaseUrl(baseUrl: unknown = DEFAULT_BASE_URL, allowHttp = false): string {
  const url = typeof baseUrl === 'string' ? parse(baseUrl) : null
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new TypeError('baseUrl is a URL such as https://auth.example.com')
  // Not repeated in the message: a password may stand in it.
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw new TypeError('baseUrl has no user, password, query or fragment')
  if (url.protocol === 'http:' && !allowHttp && !LOOPBACK.test(url.hostname))
    throw new TypeError(
      `baseUrl is plain http, so that ${url.hostname} would get the secret key unprotected: ` +
        'use https, or allowHttp in a network that you trust',
    )
  return url.origin + url.pathname.replace(/\/+$/, '')
}

function parse(text: string): URL | null {
  try {
    return new URL(text)
  } catch {
    return null
  }
}
