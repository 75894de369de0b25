import type { BulkRevoke } from './feed-event.ts'

/** Whose token it is, as far as bulk revokes ask. */
export interface SessionSubject {
  sessionId: string
  userId: string
  orgId: string | null
  appId: string | null
  /** The token's `gen`; null where it is not known. */
  generation: number | null
}

/** The bulk revokes that still matter. */
export interface BulkMarks {
  add(revoke: BulkRevoke): void
  /** For a subject whose generation is not known: whether any revoke may mean it. */
  covers(subject: SessionSubject): boolean
  forget(nowMs: number): void
  readonly size: number
  readonly bytes: number
}

/**
 * What all revokes with the same filters come to, however many there were. All sessions below
 * `generation` have ended but one; that one has ended if it is below `exceptGeneration`, which is the
 * newest revoke of them that did not spare it.
 */
interface Mark {
  generation: number
  exceptSessionId: string | null
  exceptGeneration: number
  forgetAfterMs: number
}

/** What a mark and its place in a map take, about. */
const BYTES_PER_MARK = 200

export function createBulkMarks(): BulkMarks {
  // By which of user, organisation and app a revoke names, then by their values.
  const shapes = new Map<number, Map<string, Mark>>()
  let size = 0
  return {
    add(revoke) {
      const shape = shapeOf(revoke)
      const marks = shapes.get(shape) ?? new Map<string, Mark>()
      shapes.set(shape, marks)
      const key = keyOf(shape, revoke)
      const known = marks.get(key)
      if (known === undefined) size++
      marks.set(key, known === undefined ? markOf(revoke) : merge(known, revoke))
    },
    covers(subject) {
      if (size === 0) return false
      for (const [shape, marks] of shapes) {
        const mark = marks.get(keyOf(shape, subject))
        if (mark !== undefined && isCovered(mark, subject)) return true
      }
      return false
    },
    forget(nowMs) {
      for (const [shape, marks] of shapes) {
        for (const [key, { forgetAfterMs }] of marks)
          if (forgetAfterMs < nowMs && marks.delete(key)) size--
        if (marks.size === 0) shapes.delete(shape)
      }
    },
    get size() {
      return size
    },
    get bytes() {
      return size * BYTES_PER_MARK
    },
  }
}

/** Whether a revoke means a session; for one whose generation is not known, whether it may. */
export const means = (revoke: BulkRevoke, subject: SessionSubject): boolean =>
  mayMean(revoke, subject) && (revoke.orgId === null || revoke.orgId === subject.orgId)

/** Whether a revoke may mean a session that can be in any organisation by now. */
export const mayMean = (revoke: BulkRevoke, subject: SessionSubject): boolean =>
  revoke.exceptSessionId !== subject.sessionId &&
  (revoke.userId === null || revoke.userId === subject.userId) &&
  (revoke.appId === null || revoke.appId === subject.appId) &&
  (subject.generation === null || subject.generation < revoke.generation)

type Filters = Pick<SessionSubject, 'orgId' | 'appId'> & { userId: string | null }

const USER = 1
const ORG = 2
const APP = 4

const shapeOf = ({ userId, orgId, appId }: Filters): number =>
  (userId === null ? 0 : USER) | (orgId === null ? 0 : ORG) | (appId === null ? 0 : APP)

/** A value that is not there is written as no id can be, so it matches no filter. */
function keyOf(shape: number, { userId, orgId, appId }: Filters): string {
  if (shape === 0) return ''
  if (shape === USER) return userId ?? ABSENT
  if (shape === ORG) return orgId ?? ABSENT
  if (shape === APP) return appId ?? ABSENT
  const user = (shape & USER) === 0 ? '' : (userId ?? ABSENT)
  const org = (shape & ORG) === 0 ? '' : (orgId ?? ABSENT)
  const app = (shape & APP) === 0 ? '' : (appId ?? ABSENT)
  return `${user}\n${org}\n${app}`
}

const ABSENT = '\0'

const markOf = ({ generation, exceptSessionId, forgetAfterMs }: BulkRevoke): Mark => ({
  generation,
  exceptSessionId,
  exceptGeneration: 0,
  forgetAfterMs,
})

function merge(known: Mark, revoke: BulkRevoke): Mark {
  const [newer, older] =
    revoke.generation > known.generation ? [markOf(revoke), known] : [known, markOf(revoke)]
  const { generation, exceptSessionId } = newer
  const fromOlder =
    older.exceptSessionId === exceptSessionId ? older.exceptGeneration : older.generation
  return {
    generation,
    exceptSessionId,
    exceptGeneration: Math.max(newer.exceptGeneration, fromOlder),
    forgetAfterMs: Math.max(newer.forgetAfterMs, older.forgetAfterMs),
  }
}

function isCovered(mark: Mark, { sessionId, generation }: SessionSubject): boolean {
  const below = sessionId === mark.exceptSessionId ? mark.exceptGeneration : mark.generation
  return generation === null ? below > 0 : generation < below
}
