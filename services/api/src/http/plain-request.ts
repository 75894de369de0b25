import type { IncomingMessage } from 'node:http'

/** A request with a JSON body that asks for nothing out of the ordinary, as its headers say. */
export interface PlainRequest {
  /** The credential of `Authorization: Bearer`. */
  bearer: string
  /** As `X-Tenant-ID` names it; null where it is left out. */
  tenantId: string | null
  bodyBytes: number
}

const BEARER = 'Bearer '
/** From 1 to 9,999 bytes. */
const BODY_BYTES = /^[1-9]\d{0,3}$/

/** Null where a header is missing, comes twice, or says what only the framework can weigh. */
export function readPlainRequest(rawHeaders: readonly string[]): PlainRequest | null {
  let bearer: string | null = null
  let tenantId: string | null = null
  let bodyBytes = 0
  let hosts = 0
  let types = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const value = rawHeaders[i + 1] ?? ''
    switch (rawHeaders[i]?.toLowerCase()) {
      case 'host':
        hosts++
        break
      case 'content-type':
        if (value !== 'application/json') return null
        types++
        break
      case 'authorization':
        if (bearer !== null || !value.startsWith(BEARER)) return null
        bearer = value.slice(BEARER.length)
        break
      case 'content-length':
        if (bodyBytes !== 0 || !BODY_BYTES.test(value)) return null
        bodyBytes = Number(value)
        break
      case 'x-tenant-id':
        if (tenantId !== null) return null
        tenantId = value
        break
      case 'accept-version':
      case 'content-encoding':
      case 'expect':
      case 'idempotency-key':
      case 'transfer-encoding':
      case 'upgrade':
        return null
    }
  }
  return bearer === null || bodyBytes === 0 || hosts !== 1 || types !== 1
    ? null
    : { bearer, tenantId, bodyBytes }
}

/**
 * The body of a request, if all of it is there and `use` makes something of it. Otherwise, and where
 * `use` throws, the body is still there to be read by somebody else.
 *
 * @param use gets the body as Latin-1, a character a byte.
 */
export function takeBody<T>(
  request: IncomingMessage,
  bodyBytes: number,
  use: (body: string) => T | null,
): T | null {
  if (!request.complete || request.readableLength !== bodyBytes) return null
  const body: unknown = request.read()
  if (!Buffer.isBuffer(body)) return null
  let used: T | null = null
  try {
    used = use(body.toString('latin1'))
  } finally {
    if (used === null) request.unshift(body)
  }
  return used
}
