import type { Exchange } from './exchange.ts'
import type { FeedEvent } from './feed-event.ts'
import { readFeedPage } from './feed-poll.ts'
import { readFeedStream } from './feed-stream.ts'
import {
  FALLBACK_FAILURES,
  MAX_SILENCE_MS,
  pollDelayMs,
  reconnectDelayMs,
  SYNC_LIMIT_MS,
  TICK_MS,
} from './feed-timing.ts'
import type { Knowledge } from './knowledge.ts'
import type { VerifierRuntime } from './runtime.ts'
import { describeFailure, ServiceError } from './service-error.ts'

/** Keeps `Knowledge` current: by the stream, and by polling while the stream can't be had. */
export interface RevocationFeed {
  start(): void
  state(): 'connecting' | 'streaming' | 'polling' | 'closed'
  lastError(): string | null
  /** Why the service will not have this key; null while it may. */
  refusal(): string | null
  /** When something was decided: all is known, or the service refused. */
  settled(): Promise<void>
  close(): void
}

export interface RevocationFeedDeps {
  /** Of the API, with no slash at the end. */
  baseUrl: string
  secretKey: string
  fetch: typeof globalThis.fetch
  exchange: Exchange
  runtime: VerifierRuntime
  elapsedMs: () => number
  knowledge: Knowledge
  timeoutMs: number
  /** A pause of this process longer than this makes what waits in the socket worthless. */
  maxPauseMs: number
  onSigningKeysChanged(): void
}

interface Connection {
  abort: AbortController
  epoch: number
  startedAtMs: number
  lastBytesAtMs: number
  /** Since when it tells all as it happens; null while it catches up. */
  syncedAtMs: number | null
}

const MAX_PAGES = 10_000

export function createRevocationFeed(deps: RevocationFeedDeps): RevocationFeed {
  const { baseUrl, runtime, elapsedMs, knowledge } = deps
  const headers = { authorization: `Bearer ${deps.secretKey}` }
  const waiting = new Set<() => void>()
  let connection: Connection | null = null
  let failures = 0
  let retryMs = 1_000
  let reconnectAtMs = 0
  let lostAtMs = 0
  let isPolling = false
  let isPollPending = false
  let pollFailures = 0
  let pollAtMs = 0
  let awakeAtMs = 0
  let lastError: string | null = null
  let refusal: string | null = null
  let phase: 'new' | 'running' | 'closed' = 'new'
  let stopTimer = (): void => {}

  const isStreaming = (): boolean => connection !== null && connection.syncedAtMs !== null

  const settle = (): void => {
    for (const resolve of waiting) resolve()
    waiting.clear()
  }

  const becomeFresh = (asOfMs: number): void => {
    knowledge.markFresh(asOfMs)
    refusal = null
    lastError = null
    settle()
  }

  /**
   * What waits in the socket of a process that was stopped, or of a machine that slept, can be as old
   * as the pause, and nothing in it says so: a heartbeat from before would pass for one of now. Only a
   * new connection tells.
   */
  const noteAwake = (): void => {
    const nowMs = elapsedMs()
    const pauseMs = nowMs - awakeAtMs
    awakeAtMs = nowMs
    if (pauseMs <= deps.maxPauseMs || connection === null) return
    drop(connection, new ServiceError('this process was paused'))
    reconnectAtMs = nowMs
  }

  const connect = (): void => {
    const nowMs = elapsedMs()
    const made: Connection = {
      abort: new AbortController(),
      epoch: knowledge.epoch,
      startedAtMs: nowMs,
      lastBytesAtMs: nowMs,
      syncedAtMs: null,
    }
    connection = made
    const { position } = knowledge
    readFeedStream({
      url: `${baseUrl}/v1/revocations/stream`,
      headers: { ...headers, ...(position !== null && { 'last-event-id': String(position) }) },
      fetch: deps.fetch,
      signal: made.abort.signal,
      onBytes() {
        noteAwake()
        made.lastBytesAtMs = elapsedMs()
      },
      onRetry(ms) {
        retryMs = Math.min(30_000, Math.max(100, ms))
      },
      onEvent: (event, at) => receive(made, event, at),
    }).then(
      () => drop(made, null),
      error => drop(made, error),
    )
  }

  const receive = (from: Connection, event: FeedEvent, position: number | null): void => {
    if (connection !== from) return
    if (event.type === 'reset') {
      knowledge.apply(event)
      from.epoch = knowledge.epoch
      from.syncedAtMs = null
      return
    }
    if (from.epoch !== knowledge.epoch) {
      drop(from, new ServiceError('the feed began anew meanwhile'))
      return
    }
    learn(event)
    if (position !== null) knowledge.advanceTo(position)
    if (event.type === 'synced') from.syncedAtMs ??= elapsedMs()
    if (from.syncedAtMs === null) return
    isPolling = false
    becomeFresh(elapsedMs())
  }

  const learn = (event: FeedEvent): void => {
    knowledge.apply(event)
    if (event.type === 'signing_keys_changed') deps.onSigningKeysChanged()
    else if (event.type === 'heartbeat' && event.atMs !== null) knowledge.clock.note(event.atMs)
  }

  /** A connection that ended, or is given up. */
  const drop = (ended: Connection, error: unknown): void => {
    if (connection !== ended) return
    connection = null
    ended.abort.abort()
    if (phase === 'closed') return
    const nowMs = elapsedMs()
    const { syncedAtMs } = ended
    if (syncedAtMs !== null) lostAtMs = nowMs
    const isSound = syncedAtMs !== null && nowMs - syncedAtMs > SOUND_MS
    failures = isSound ? 0 : failures + 1
    if (error !== null) noteFailure(error)
    else if (syncedAtMs === null) lastError = 'the feed ended before it had told all'
    reconnectAtMs =
      nowMs +
      reconnectDelayMs({ error, failures, retryMs, wasSynced: syncedAtMs !== null }, runtime)
    schedule()
  }

  const noteFailure = (error: unknown): void => {
    lastError = describeFailure('the feed', error)
    if (!(error instanceof ServiceError) || error.kind === 'failed') return
    if (error.kind === 'suspended') knowledge.refuseTenant()
    else refusal = error.message
    settle()
  }

  const isPollDue = (nowMs: number): boolean =>
    !isStreaming() &&
    !isPollPending &&
    nowMs >= pollAtMs &&
    (refusal === null || nowMs >= reconnectAtMs) &&
    (failures >= FALLBACK_FAILURES || nowMs - lostAtMs > deps.timeoutMs)

  const poll = async (): Promise<void> => {
    isPollPending = true
    let error: unknown = null
    try {
      isPolling = (await readPages()) && !isStreaming()
      pollFailures = 0
    } catch (caught) {
      error = caught
      pollFailures++
      isPolling = false
      if (phase !== 'closed' && !isStreaming()) noteFailure(caught)
    }
    isPollPending = false
    pollAtMs = elapsedMs() + pollDelayMs({ error, failures: pollFailures }, runtime)
    schedule()
  }

  /** False where the feed began anew meanwhile: then the next poll does. */
  const readPages = async (): Promise<boolean> => {
    const url = `${baseUrl}/v1/revocations`
    let { epoch, position: after } = knowledge
    for (let pages = 0; pages < MAX_PAGES; pages++) {
      const beganAtMs = elapsedMs()
      const page = await readFeedPage({ exchange: deps.exchange, url, headers, after })
      if (phase === 'closed' || epoch !== knowledge.epoch) return false
      if (page.isReset) knowledge.apply({ type: 'reset' })
      epoch = knowledge.epoch
      for (const event of page.events) learn(event)
      knowledge.advanceTo(page.nextAfter)
      if (page.serviceNowMs !== null) knowledge.clock.note(page.serviceNowMs)
      if (!page.hasMore) {
        becomeFresh(beganAtMs)
        return true
      }
      after = page.nextAfter
    }
    throw new ServiceError('the feed has no end')
  }

  const isDead = ({ startedAtMs, lastBytesAtMs, syncedAtMs }: Connection, nowMs: number): boolean =>
    nowMs - lastBytesAtMs > MAX_SILENCE_MS ||
    (syncedAtMs === null && nowMs - startedAtMs > SYNC_LIMIT_MS)

  const tick = (): void => {
    noteAwake()
    const nowMs = elapsedMs()
    if (connection !== null && isDead(connection, nowMs))
      drop(connection, new ServiceError('the feed was silent'))
    if (connection === null && nowMs >= reconnectAtMs) connect()
    if (isPollDue(nowMs)) void poll()
    knowledge.forget()
    schedule()
  }

  const schedule = (): void => {
    stopTimer()
    if (phase !== 'running') return
    const reconnectInMs = connection === null ? reconnectAtMs - elapsedMs() : TICK_MS
    stopTimer = runtime.startTimer(tick, Math.max(0, Math.min(TICK_MS, reconnectInMs)))
  }

  return {
    start() {
      if (phase !== 'new') return
      phase = 'running'
      awakeAtMs = elapsedMs()
      lostAtMs = awakeAtMs
      tick()
    },
    state() {
      if (phase === 'closed') return 'closed'
      if (isStreaming()) return 'streaming'
      return isPolling ? 'polling' : 'connecting'
    },
    lastError: () => lastError,
    refusal: () => refusal,
    settled: () => new Promise(resolve => waiting.add(resolve)),
    close() {
      phase = 'closed'
      stopTimer()
      connection?.abort.abort()
      connection = null
      settle()
    },
  }
}

/** A connection that held this long was no failure, however it ended. */
const SOUND_MS = 5_000
