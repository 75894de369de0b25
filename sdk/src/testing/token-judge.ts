import {
  authenticateToken,
  checkTimes,
  classifyForeignToken,
  splitToken,
  type TokenVerdict,
} from '../verifier/access-token.ts'
import { importSigningKey } from '../verifier/signing-key.ts'
import type { SigningJwk } from './hostile-tokens.ts'

export interface TokenJudgeOptions {
  issuer: string
  audience: string
  keys(): SigningJwk[]
}

/** Judges a token by itself, with the rules of the local verifier; revocations are another matter. */
export function createTokenJudge({ issuer, audience, keys }: TokenJudgeOptions) {
  return async (token: string): Promise<TokenVerdict> => {
    const parts = splitToken(token)
    if (parts === null) return { valid: false, reason: 'malformed' }
    const imported = await Promise.all(keys().map(importSigningKey))
    const key = imported.find(each => each?.headers.includes(parts.header))
    if (key === undefined || key === null)
      return { valid: false, reason: classifyForeignToken(parts) }
    const verdict = await authenticateToken(parts, key, { issuer, audience })
    const reason = verdict.valid ? checkTimes(verdict.claims, Date.now()) : null
    return reason === null ? verdict : { valid: false, reason }
  }
}
