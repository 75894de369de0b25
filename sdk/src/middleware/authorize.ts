import {
  ConnectionError,
  RateLimitError,
  ServerError,
  VerifierUnavailableError,
} from '../errors.ts'
import type { Verification, VerifiedSession } from '../verifier/verification.ts'
import { type Credentials, readAuthorization } from './credentials.ts'
import { type Demands, readOptions, type SessionOptions, type Verify } from './options.ts'
import { createRefusal, type Refusal, type RefusalCode, type RefusalDetails } from './refusal.ts'

/** Whose session it is; `null` only where `optional` let a request without a token pass. */
export type Outcome =
  | { refusal: null; session: VerifiedSession | null }
  | { refusal: Refusal; session: null }

export type Authorize<Request> = (request: Request) => Promise<Outcome>

/**
 * The one decision behind every middleware: may this request pass, and if not, what is it told?
 *
 * @param fieldsOf the `Authorization` fields of a request, each by itself where that can be known.
 * @returns a function that throws only what is no verdict: an error of `getToken`, for instance.
 */
export function createAuthorize<Request>(
  verify: Verify,
  options: SessionOptions<Request>,
  fieldsOf: (request: Request) => readonly string[],
): Authorize<Request> {
  if (typeof verify !== 'function') throw new TypeError('verify: must be what createVerifier made')
  const demands = readOptions(options)
  const refuse = (code: RefusalCode, details: Omit<RefusalDetails, 'realm'> = {}): Outcome => ({
    refusal: createRefusal(code, { realm: demands.realm, ...details }),
    session: null,
  })

  return async request => {
    const credentials = await findCredentials(demands, request, fieldsOf)
    if (credentials.kind === 'several') return refuse('authorization_repeated')
    if (credentials.kind === 'none')
      return demands.optional ? { refusal: null, session: null } : refuse('access_token_missing')
    const verification = await ask(verify, credentials.token)
    if (verification === null) return refuse('verification_unavailable')
    if (!verification.valid) {
      const { reason } = verification
      // Blind is not bad: the caller must keep the token and come back.
      return refuse(
        reason === 'revocations_stale' ? 'verification_unavailable' : 'access_token_invalid',
        { reason },
      )
    }
    const { session } = verification
    const lack = findLack(demands, session)
    return lack === null ? { refusal: null, session } : refuse(...lack)
  }
}

async function findCredentials<Request>(
  { getToken }: Demands<Request>,
  request: Request,
  fieldsOf: (request: Request) => readonly string[],
): Promise<Credentials> {
  if (getToken === null || getToken === undefined) return readAuthorization(fieldsOf(request))
  const token = await getToken(request)
  return token === null || token === undefined || token === ''
    ? { kind: 'none' }
    : { kind: 'token', token }
}

/** Null where neither yes nor no can be said. */
async function ask(verify: Verify, token: string): Promise<Verification | null> {
  try {
    return await verify(token)
  } catch (error) {
    if (UNAVAILABLE.some(kind => error instanceof kind)) return null
    throw error
  }
}

const UNAVAILABLE = [VerifierUnavailableError, ConnectionError, ServerError, RateLimitError]

/** A role first: no second sign-in would help against a wrong one. */
function findLack<Request>(
  { roles, requireMfa, maxAuthAgeSeconds }: Demands<Request>,
  { role, mfaVerified, authTime }: VerifiedSession,
): [RefusalCode, Omit<RefusalDetails, 'realm'>] | null {
  if (roles !== null && (role === null || !roles.includes(role))) return ['role_missing', {}]
  const lacksMfa = requireMfa && !mfaVerified
  const ageSeconds = (Date.now() - Date.parse(authTime)) / 1000
  const isTooOld = maxAuthAgeSeconds !== null && !(ageSeconds <= maxAuthAgeSeconds)
  if (!lacksMfa && !isTooOld) return null
  // RFC 9470, 3: one challenge says all that the next sign-in must bring.
  const parameters = {
    ...(lacksMfa && { acr_values: 'mfa' }),
    ...(maxAuthAgeSeconds !== null && { max_age: String(maxAuthAgeSeconds) }),
  }
  return [lacksMfa ? 'mfa_missing' : 'authentication_too_old', { parameters }]
}
