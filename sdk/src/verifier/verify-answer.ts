import { ServiceError } from './service-error.ts'
import type { TokenInvalidReason, Verification } from './verification.ts'

/**
 * The answer of `POST /v1/sessions/verify`. What is not in its form is no answer: neither yes nor no.
 *
 * @throws ServiceError
 */
export function readVerification(text: string): Verification {
  const answer = parse(text)
  if (answer.valid === false) return { valid: false, reason: reasonOf(answer.reason) }
  if (answer.valid !== true) throw unreadable()
  const session = {
    sessionId: string(answer.session_id),
    userId: string(answer.user_id),
    tenantId: string(answer.tenant_id),
    orgId: stringOrNull(answer.org_id),
    appId: stringOrNull(answer.app_id),
    role: stringOrNull(answer.role),
    amr: strings(answer.amr),
    mfaVerified: answer.mfa_verified === true,
    authTime: string(answer.auth_time),
    issuedAt: string(answer.issued_at),
    expiresAt: string(answer.expires_at),
  }
  return { valid: true, session }
}

const REASONS: ReadonlySet<unknown> = new Set<TokenInvalidReason>([
  'malformed',
  'signature_invalid',
  'issuer_invalid',
  'audience_invalid',
  'expired',
  'not_yet_valid',
  'session_revoked',
  'session_expired',
  'session_not_found',
])

function reasonOf(value: unknown): TokenInvalidReason {
  if (REASONS.has(value)) return value as TokenInvalidReason
  throw unreadable()
}

function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {}
  throw unreadable()
}

function string(value: unknown): string {
  if (typeof value === 'string') return value
  throw unreadable()
}

const stringOrNull = (value: unknown): string | null => (value === null ? null : string(value))

function strings(value: unknown): string[] {
  if (Array.isArray(value)) return value.map(string)
  throw unreadable()
}

const unreadable = (): ServiceError => new ServiceError('the service sent what cannot be read')
