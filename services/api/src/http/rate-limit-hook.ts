import type { FastifyReply } from 'fastify'
import { Problem } from '../shared/problem.ts'
import type { AddressLimiter } from './address-limit.ts'
import type { RateLimiter, Verdict } from './rate-limit.ts'

/** What authentication needs of the limits: of keys, and of those who guess them. */
export interface RateLimits extends Pick<RateLimiter, 'take'> {
  /** Puts the standard headers on the answer; throws a 429 when the limit is reached. */
  apply(reply: FastifyReply, verdict: Verdict): void
  /**
   * Throws a 429 when this address has failed too often. For credentials that this node would have to
   * look up first: a key that it knows must work from any address.
   */
  refuseIfExhausted(address: string, tenantId?: string): void
  /** Counts a credential that turned out wrong; throws a 429 in place of the 401 when it was too many. */
  noteFailure(address: string, tenantId?: string): void
}

export interface RateLimitsOptions {
  limiter: RateLimiter
  addresses: AddressLimiter
}

export function createRateLimits({ limiter, addresses }: RateLimitsOptions): RateLimits {
  return {
    take: limiter.take,
    apply(reply, { isAllowed, policy, limit, retryAfterSeconds }) {
      reply.header('ratelimit-policy', policy).header('ratelimit', limit)
      if (!isAllowed)
        throw tooMany(retryAfterSeconds, 'The limit of this key or of its tenant is reached.')
    },
    refuseIfExhausted(address, tenantId) {
      if (addresses.isExhausted(address, tenantId)) throw tooMany(1, TOO_MANY_FAILURES)
    },
    noteFailure(address, tenantId) {
      const waitSeconds = addresses.noteFailure(address, tenantId)
      if (waitSeconds > 0) throw tooMany(waitSeconds, TOO_MANY_FAILURES)
    },
  }
}

const TOO_MANY_FAILURES = 'Too many requests with a wrong credential came from this address.'

const tooMany = (retryAfterSeconds: number, detail: string): Problem =>
  new Problem('rate_limit_exceeded', {
    detail,
    headers: { 'retry-after': String(retryAfterSeconds) },
  })
