import { VerifierUnavailableError } from '../errors.ts'
import type { Exchange } from './exchange.ts'
import { describeFailure, errorOfAnswer, ServiceError } from './service-error.ts'
import type { Verification, VerifiedSession } from './verification.ts'
import { readVerification } from './verify-answer.ts'

/** What is asked of the API when this process can't know. */
export interface SessionCalls {
  /**
   * One question for all who ask about a token at once. Who comes while one is under way waits for
   * the next, as it may have been answered before something was revoked.
   *
   * @throws VerifierUnavailableError
   */
  verify(token: string): Promise<Verification>
  /**
   * A question that began no sooner than this call.
   *
   * @throws VerifierUnavailableError
   */
  verifyAnew(token: string): Promise<Verification>
  /**
   * Whether a session is active.
   *
   * @throws ServiceError
   */
  isActive(sessionId: string): Promise<boolean>
}

export interface SessionCallsDeps {
  baseUrl: string
  secretKey: string
  exchange: Exchange
  /** The service says that the tenant is suspended or gone. */
  onTenantRefused(): void
}

interface Question {
  answer: Promise<Verification>
  /** Shared by all who came since. */
  next: Promise<Verification> | null
  /** In this very moment: nothing can have come in between. */
  isAskedNow: boolean
}

/** More than this at once do not help a service that is in trouble. */
const MAX_QUESTIONS = 1_000
const MAX_ANSWER_BYTES = 64 * 1024

export function createSessionCalls(deps: SessionCallsDeps): SessionCalls {
  const { baseUrl, exchange } = deps
  const authorization = `Bearer ${deps.secretKey}`
  const pending = new Map<string, Question>()
  let questions = 0

  const ask = async (token: string): Promise<Verification> => {
    if (questions >= MAX_QUESTIONS) throw unavailable('too many questions wait for the service')
    const what = 'POST /v1/sessions/verify'
    questions++
    try {
      const answer = await exchange({
        what,
        url: `${baseUrl}/v1/sessions/verify`,
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify({ token }),
        maxBytes: MAX_ANSWER_BYTES,
      })
      if (answer.status !== 200)
        throw errorOfAnswer(what, answer.status, answer.headers, answer.text)
      return readVerification(answer.text)
    } catch (error) {
      if (error instanceof ServiceError && error.kind === 'suspended') {
        deps.onTenantRefused()
        return { valid: false, reason: 'session_revoked' }
      }
      throw unavailable(describeFailure(what, error))
    } finally {
      questions--
    }
  }

  const begin = (token: string): Promise<Verification> => {
    const answer = ask(token).finally(() => pending.delete(token))
    const question: Question = { answer, next: null, isAskedNow: true }
    pending.set(token, question)
    queueMicrotask(() => (question.isAskedNow = false))
    return answer
  }

  return {
    verify(token) {
      const question = pending.get(token)
      if (question === undefined) return begin(token)
      if (question.isAskedNow) return question.answer
      question.next ??= question.answer.catch(() => {}).then(() => begin(token))
      return question.next
    },
    verifyAnew: ask,
    async isActive(sessionId) {
      const { status, headers, text } = await exchange({
        what: 'GET /v1/sessions/{id}',
        url: `${baseUrl}/v1/sessions/${encodeURIComponent(sessionId)}`,
        headers: { authorization, accept: 'application/json' },
        maxBytes: MAX_ANSWER_BYTES,
      })
      if (status === 200) return statusOf(text) === 'active'
      const error = errorOfAnswer('GET /v1/sessions/{id}', status, headers, text)
      if (status === 404 || error.kind === 'suspended') return false
      throw error
    },
  }
}

const unavailable = (why: string): VerifierUnavailableError =>
  new VerifierUnavailableError(
    `Revocations are not known, and the service can't be asked: ${why}.`,
    {
      code: 'verify_unavailable',
    },
  )

function statusOf(text: string): unknown {
  try {
    return (JSON.parse(text) as { status?: VerifiedSession | string } | null)?.status
  } catch {
    throw new ServiceError('the service sent what cannot be read')
  }
}
