/** What the clients did and saw, and what was done to the service meanwhile. Times by one clock. */
export interface History {
  operations: readonly Operation[]
  faults: readonly Fault[]
  /** The ids of the sessions that the database holds in the end. */
  stored: ReadonlySet<string>
}

export interface Operation {
  kind: 'create' | 'verify' | 'refresh' | 'revoke'
  node: number
  /** Before the first byte was sent. */
  startMs: number
  /** After the last byte of the answer had come. */
  endMs: number
  outcome: Outcome
  /** Method and path, as they were sent. */
  request: string
  /** Status and reason, or how it failed. */
  detail: string
  /**
   * What it hangs on, such as `session:ses_…`, `kid:…`, `key:key_…` or `tenant:tnt_…`: when one of
   * them was revoked, it must be refused. For a revoke, what the revoke ends.
   */
  subjects: readonly string[]
  /** The id of the session that was created. */
  created?: string
}

/** `failed` says nothing about the subjects: no answer, 408, 429 or 5xx. */
export type Outcome = 'accepted' | 'refused' | 'failed'

export const FAULT_KINDS = [
  'redis flushed',
  'redis killed',
  'redis paused',
  'node killed',
  'node paused',
  'node cut off',
  'postgres connections cut',
  'freshness connections cut',
  'postgres slow',
  'answers lost',
  'locks held',
  'postgres paused',
  'postgres killed',
] as const
/** Take longer than any time-out of the service, and so are left to long runs. */
type LongFaultKind = 'postgres paused for long' | 'node cut off for long'
export type FaultKind = (typeof FAULT_KINDS)[number] | LongFaultKind

export interface Fault {
  kind: FaultKind
  /** The node that it struck; null where it struck what all share. */
  node: number | null
  startMs: number
  /** When all was there again. */
  endMs: number
}

export const nowMs = (): number => performance.now()
