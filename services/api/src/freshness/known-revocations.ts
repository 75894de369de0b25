import { createFingerprints, type Fingerprints, fingerprintOf } from './fingerprints.ts'
import type { SessionClaims, TenantChange } from './tenant-copy.ts'

/**
 * The revocations of one tenant that can still concern a living token. It answers one question:
 * may this session have ended, or changed, since its token was signed? "No" is certain. "Maybe" is
 * decided by Postgres, so a session that moved, a bulk revoke with an exception, or two ids that
 * share a fingerprint cost a query, never a wrong answer.
 */
export interface KnownRevocations {
  note(change: Pick<TenantChange, keyof Subject | NotedFields>, nowMs: number): void
  noteSession(sessionId: string, forgetAfterMs: number, nowMs: number): void
  mayConcern(claims: SessionClaims): boolean
  /** Drops what no living token can need. */
  forget(nowMs: number): void
  /** False until the past has been read: as long, the answer is "maybe" for every session. */
  isWhole: boolean
  readonly size: number
  readonly byteLength: number
}

type NotedFields = 'sessionId' | 'generation' | 'forgetAfter'

/** What is forgotten at the same time is kept together, and dropped as a whole. */
interface Window {
  endMs: number
  sessions: Fingerprints
  /** Bulk revokes: by what they name, the generation below which sessions have ended. */
  bulks: Fingerprints
}

/**
 * A window that holds more is followed by another one with the same end: moving a million entries
 * into a larger array would stop the node for a tenth of a second.
 */
const MAX_IN_WINDOW = 190_000

/** Tokens end on whole seconds, and a little more memory costs nothing. */
export const FORGET_MARGIN_MS = 60_000

export function createKnownRevocations(): KnownRevocations {
  let windows: Window[] = []
  // Which shapes of bulk revokes there are, a bit each: nearly always none or one.
  let shapes = 0

  const windowFor = (forgetAfterMs: number, nowMs: number): Window => {
    const endMs = endOfWindow(forgetAfterMs, nowMs)
    const known = windows.findLast(window => window.endMs === endMs)
    if (known !== undefined && sizeOf(known) < MAX_IN_WINDOW) return known
    const made = {
      endMs,
      sessions: createFingerprints({ hasValues: false }),
      bulks: createFingerprints({ hasValues: true }),
    }
    windows.push(made)
    return made
  }

  const noteSession = (sessionId: string, forgetAfterMs: number, nowMs: number): void => {
    const keepUntilMs = forgetAfterMs + FORGET_MARGIN_MS
    if (keepUntilMs < nowMs) return
    windowFor(keepUntilMs, nowMs).sessions.set(fingerprintOfSession(sessionId))
  }

  const isBelowMark = (fingerprint: number, generation: number): boolean => {
    for (const { bulks } of windows) if (generation < bulks.get(fingerprint)) return true
    return false
  }

  const known: KnownRevocations = {
    isWhole: false,
    noteSession,
    note(change, nowMs) {
      const { sessionId, generation, forgetAfter } = change
      const forgetAfterMs = forgetAfter.getTime()
      if (sessionId !== null) return noteSession(sessionId, forgetAfterMs, nowMs)
      const keepUntilMs = forgetAfterMs + FORGET_MARGIN_MS
      if (keepUntilMs < nowMs) return
      const shape = shapeOf(change)
      shapes |= 1 << shape
      const { bulks } = windowFor(keepUntilMs, nowMs)
      bulks.set(fingerprintOfShape(shape, change), generation ?? 0)
    },
    mayConcern(claims) {
      if (!known.isWhole) return true
      if (windows.length === 0) return false
      const session = fingerprintOfSession(claims.sessionId)
      for (const { sessions } of windows) if (sessions.get(session) !== 0) return true
      for (let shape = 0; shapes >> shape > 0; shape++) {
        if ((shapes & (1 << shape)) === 0) continue
        if (isBelowMark(fingerprintOfShape(shape, claims), claims.generation)) return true
      }
      return false
    },
    forget(nowMs) {
      windows = windows.filter(({ endMs }) => endMs >= nowMs)
      if (windows.length === 0) shapes = 0
    },
    get size() {
      return windows.reduce((total, window) => total + sizeOf(window), 0)
    },
    get byteLength() {
      return windows.reduce((total, window) => total + bytesOf(window), 0)
    },
  }
  return known
}

const sizeOf = ({ sessions, bulks }: Window): number => sessions.size + bulks.size
const bytesOf = ({ sessions, bulks }: Window): number => sessions.byteLength + bulks.byteLength

const MINUTE_MS = 60_000

/**
 * The later the end, the wider the window: by a quarter of what is left at most, so that tokens of a
 * day and tokens of a minute both make a handful of windows. What is kept longer than it must be
 * costs memory alone.
 */
function endOfWindow(keepUntilMs: number, nowMs: number): number {
  const quarterMinutes = (keepUntilMs - nowMs) / MINUTE_MS / 4
  const widthMs = MINUTE_MS * 2 ** Math.max(0, Math.floor(Math.log2(quarterMinutes)))
  return Math.ceil(keepUntilMs / widthMs) * widthMs
}

const RANDOM_CHARACTERS = 16

/** The random part of a ULID says all: 80 bits. */
const fingerprintOfSession = (sessionId: string): number =>
  fingerprintOf(sessionId, sessionId.length - RANDOM_CHARACTERS)

type Subject = Pick<SessionClaims, 'orgId' | 'appId'> & { userId: string | null }

const USER = 1
const ORG = 2
const APP = 4

/** Which of user, organisation and app a bulk revoke names; 0 where it names everybody. */
const shapeOf = ({ userId, orgId, appId }: Subject): number =>
  (userId === null ? 0 : USER) | (orgId === null ? 0 : ORG) | (appId === null ? 0 : APP)

// No id holds a space, so joined values stay apart.
const fingerprintOfShape = (shape: number, { userId, orgId, appId }: Subject): number =>
  fingerprintOf(
    `${shape} ${shape & USER ? userId : ''} ${shape & ORG ? orgId : ''} ${shape & APP ? appId : ''}`,
  )
