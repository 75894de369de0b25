import { mayMean, means, type SessionSubject } from './bulk-marks.ts'
import type { BulkRevoke, FeedEvent } from './feed-event.ts'
import type { VerifierRuntime } from './runtime.ts'

/** A session that somebody listens for. */
export interface WatchedSession {
  sessionId: string
  /** Null where no more than the id is known: any bulk revoke may mean it. */
  subject: SessionSubject | null
  /** When the newest token that was seen of it expires; null where none was. */
  expiresAtMs: number | null
}

/** Who wants to know when a session is revoked. */
export interface RevocationListeners {
  /** @returns to stop listening. */
  add(watched: WatchedSession, callback: () => void): () => void
  /** Tells those whom an event of the feed concerns. */
  notify(event: FeedEvent): void
  /** All sessions of the tenant ended. */
  notifyAll(): void
  /** Asks the service about those whose revocation may have come and been forgotten unseen. */
  recheck(nowMs: number): void
  close(): void
}

export interface RevocationListenersDeps {
  runtime: VerifierRuntime
  /** Whether what is known now says that the session is revoked. */
  isRevoked(subject: SessionSubject): boolean
  /** Whether the session may have another organisation by now than was seen of it. */
  mayHaveMoved(watched: WatchedSession): boolean
  /** Asks the service. @throws where it does not answer. */
  isActive(sessionId: string): Promise<boolean>
}

interface Listener extends WatchedSession {
  /** Kept here since it holds for longer than the tokens that are older than the move. */
  mayHaveMoved: boolean
  callback: () => void
}

interface Question {
  listener: Listener
  attempts: number
  /** Whether the listener is told where the service does not answer. */
  mustTell: boolean
}

/** Questions to the service at once: a bulk revoke may concern thousands of listeners. */
const MAX_QUESTIONS = 8
const MAX_ATTEMPTS = 3
const RETRY_MS = 1_000

/** Without the generation, or where it may have moved, a bulk revoke that fits is a "maybe". */
const isCertain = ({ subject, mayHaveMoved }: Listener): boolean =>
  subject !== null && subject.generation !== null && !mayHaveMoved

const isMeant = ({ subject, mayHaveMoved }: Listener, revoke: BulkRevoke): boolean =>
  subject === null || (mayHaveMoved ? mayMean(revoke, subject) : means(revoke, subject))

/** Whom no bulk revoke means: is the session itself revoked? */
const nobody = (sessionId: string): SessionSubject => ({
  sessionId,
  userId: '',
  orgId: null,
  appId: null,
  generation: Number.POSITIVE_INFINITY,
})

export function createRevocationListeners(deps: RevocationListenersDeps): RevocationListeners {
  const bySession = new Map<string, Set<Listener>>()
  const toAsk: Question[] = []
  let questions = 0

  const remove = (listener: Listener): boolean => {
    const { sessionId } = listener
    const listeners = bySession.get(sessionId)
    if (listeners?.delete(listener) !== true) return false
    if (listeners.size === 0) bySession.delete(sessionId)
    return true
  }

  const isListening = (listener: Listener): boolean =>
    bySession.get(listener.sessionId)?.has(listener) === true

  /** Once, and never within the call that found it: a callback that throws harms nobody. */
  const fire = (listener: Listener): void => {
    if (!remove(listener)) return
    queueMicrotask(() => {
      try {
        const result: unknown = listener.callback()
        if (result instanceof Promise) result.catch(() => {})
      } catch {}
    })
  }

  const fireSession = (sessionId: string): void => {
    for (const listener of bySession.get(sessionId) ?? []) fire(listener)
  }

  const fireBulk = (revoke: BulkRevoke): void => {
    for (const listeners of bySession.values())
      for (const listener of listeners) {
        if (!isMeant(listener, revoke)) continue
        if (isCertain(listener)) fire(listener)
        else ask(listener, true)
      }
  }

  const noteChange = (sessionId: string): void => {
    for (const listener of bySession.get(sessionId) ?? [])
      listener.mayHaveMoved ||= deps.mayHaveMoved(listener)
  }

  /**
   * @param mustTell whether a session that can't be asked about counts as revoked: a socket that is
   *   closed for nothing connects again, one that stays open is a promise broken.
   */
  const ask = (listener: Listener, mustTell: boolean): void => {
    toAsk.push({ listener, attempts: 0, mustTell })
    askNext()
  }

  const askNext = (): void => {
    while (questions < MAX_QUESTIONS) {
      const question = toAsk.shift()
      if (question === undefined) return
      if (isListening(question.listener)) void answer(question)
    }
  }

  const answer = async (question: Question): Promise<void> => {
    const { listener, mustTell } = question
    questions++
    try {
      if (!(await deps.isActive(listener.sessionId))) fire(listener)
    } catch {
      if (++question.attempts < MAX_ATTEMPTS) retry(question)
      else if (mustTell) fire(listener)
    }
    questions--
    askNext()
  }

  const retry = (question: Question): void => {
    const delayMs = RETRY_MS * question.attempts * (0.5 + deps.runtime.random())
    deps.runtime.startTimer(() => {
      toAsk.push(question)
      askNext()
    }, delayMs)
  }

  return {
    add(watched, callback) {
      const mayHaveMoved = deps.mayHaveMoved(watched)
      const listener: Listener = { ...watched, mayHaveMoved, callback }
      const { sessionId, subject } = watched
      const listeners = bySession.get(sessionId) ?? new Set<Listener>()
      listeners.add(listener)
      bySession.set(sessionId, listeners)
      if (deps.isRevoked(nobody(sessionId))) fire(listener)
      else if (subject !== null && deps.isRevoked(subject)) {
        if (isCertain(listener)) fire(listener)
        else ask(listener, true)
      } else if (subject === null || mayHaveMoved) ask(listener, false)
      return () => void remove(listener)
    },
    notify(event) {
      if (bySession.size === 0) return
      if (event.type === 'session_revoked') fireSession(event.sessionId)
      else if (event.type === 'snapshot') for (const id of event.sessionIds) fireSession(id)
      else if (event.type === 'sessions_revoked') fireBulk(event.revoke)
      else if (event.type === 'session_changed') noteChange(event.sessionId)
    },
    notifyAll() {
      for (const listeners of bySession.values()) for (const listener of listeners) fire(listener)
    },
    recheck(nowMs) {
      for (const listeners of bySession.values())
        for (const listener of listeners) {
          if (listener.expiresAtMs !== null && listener.expiresAtMs > nowMs) continue
          listener.mayHaveMoved = true
          ask(listener, true)
        }
    },
    close() {
      bySession.clear()
      toAsk.length = 0
    },
  }
}
