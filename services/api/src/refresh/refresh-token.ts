import { randomBytes } from 'node:crypto'
import { equalInConstantTime, type MasterKey, sha256 } from '../shared/crypto.ts'

/**
 * A refresh token names its tenant, its session and its place in the session's line (its
 * generation), and carries the session's family secret and a MAC over all of it:
 *
 *     rt_ tenant ULID . session ULID . generation . family secret . MAC
 *
 * The database holds the generation and a hash of the family secret, so a leaked database refreshes
 * nothing; the MAC key alone does not either. And because a token is computed, not stored, the
 * successor of a token can be given again: no row a token, however long a session lives.
 */
export interface RefreshTokens {
  /** The first of a new session. */
  createFamily(): { familySecret: string; familyHash: Buffer }
  seal(token: RefreshToken): string
  /** Null for whatever we did not make. */
  open(text: string): RefreshToken | null
}

export interface RefreshToken {
  tenantId: string
  sessionId: string
  generation: number
  familySecret: string
}

const PURPOSE = 'refresh-token'
const FORM =
  /^rt_([0-9A-Z]{26})\.([0-9A-Z]{26})\.(0|[1-9][0-9]{0,9})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})$/

export function createRefreshTokens(masterKey: MasterKey): RefreshTokens {
  const macTextOf = (body: string): string => masterKey.mac(PURPOSE, body).toString('base64url')
  return {
    createFamily() {
      const familySecret = randomBytes(16).toString('base64url')
      return { familySecret, familyHash: familyHashOf(familySecret) }
    },
    seal({ tenantId, sessionId, generation, familySecret }) {
      const ids = `${tenantId.slice('tnt_'.length)}.${sessionId.slice('ses_'.length)}`
      const body = `${ids}.${generation}.${familySecret}`
      return `rt_${body}.${macTextOf(body)}`
    },
    open(text) {
      const form = FORM.exec(text)
      if (form === null) return null
      const [, tenant, session, generation, familySecret, mac] = form
      const body = `${tenant}.${session}.${generation}.${familySecret}`
      // As text: decoded, four spellings of the last character would be the same MAC.
      if (!equalInConstantTime(Buffer.from(macTextOf(body)), Buffer.from(mac ?? ''))) return null
      return {
        tenantId: `tnt_${tenant}`,
        sessionId: `ses_${session}`,
        generation: Number(generation),
        familySecret: familySecret ?? '',
      }
    },
  }
}

export const familyHashOf = (familySecret: string): Buffer => sha256(familySecret)
