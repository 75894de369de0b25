import type { FastifyReply } from 'fastify'

export interface Verdict {
  allowed: boolean
}
export interface RateLimits {
  take(bucket: { tenantId: string; apiKeyId: string; ratePerSecond: number }): Verdict | Promise<Verdict>
  apply(reply: FastifyReply, verdict: Verdict): void
  refuseIfExhausted(address: string): void
  noteFailure(address: string): void
}
