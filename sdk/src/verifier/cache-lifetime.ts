const DEFAULT_SECONDS = 300
const MIN_SECONDS = 30
const MAX_SECONDS = 86_400

/** How long an answer may be kept (RFC 9111), within reason whatever it says. */
export function lifetimeOf(headers: Headers): number {
  const control = headers.get('cache-control') ?? ''
  const maxAge = /(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,])/i.exec(control)?.[1]
  const spent = /^\d{1,9}$/.exec(headers.get('age') ?? '')?.[0] ?? '0'
  const isUncacheable = /(?:^|[\s,])no-(?:store|cache)(?:$|[\s,])/i.test(control)
  const seconds = isUncacheable ? 0 : Number(maxAge ?? DEFAULT_SECONDS) - Number(spent)
  return Math.min(MAX_SECONDS, Math.max(MIN_SECONDS, seconds)) * 1000
}
