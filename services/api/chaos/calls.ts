import type { Cluster } from './cluster.ts'
import { nowMs, type Operation, type Outcome } from './history.ts'
import { type Answer, type Call, createHttpClient } from './http.ts'
import type { NodeProcess } from './node-process.ts'
import type { Random } from './random.ts'

/** An API key, or the operator's, for one tenant. */
export interface Credential {
  key: string
  tenantId: string
  subjects: readonly string[]
}

export interface Session {
  id: string
  userId: string
  accessToken: string
  refreshToken: string
}

/** Calls of the API, each written into the history. Null where the call was not accepted. */
export interface Calls {
  operations: readonly Operation[]
  /** A node for everyday work: nearly always one that is known to be up. */
  anyNode(except?: number): NodeProcess
  create(by: Credential, body: SessionBody, node?: NodeProcess): Promise<Session | null>
  verify(by: Credential, session: Session, node?: NodeProcess): Promise<Operation>
  refresh(by: Credential, session: Session, node?: NodeProcess): Promise<Session | null>
  /** Does what ends the subjects; whether that was acknowledged, and by which node. */
  revoke(subjects: readonly string[], call: Call, isDone?: IsDone): Promise<Revoked>
  /** A call that the history does not need. */
  plain(call: Call): Promise<Answer>
  close(): void
}

export interface SessionBody {
  user_id: string
  org_id?: string
  app_id?: string
}

export interface Revoked {
  isAcknowledged: boolean
  node: number
  answer: Answer
}

type IsDone = (answer: Answer) => boolean

/** Longer than any pause: what waited for a paused node must be answered rightly by it. */
const TIMEOUT_MS = 6_000

export function createCalls(cluster: Cluster, random: Random): Calls {
  const operations: Operation[] = []
  const http = createHttpClient(TIMEOUT_MS)

  const anyNode = (except?: number): NodeProcess => {
    const others = cluster.nodes.filter(({ index }) => index !== except)
    const up = others.filter(({ state }) => state === 'up')
    return random.pick(up.length > 0 && random.chance(0.98) ? up : others)
  }

  const run = async (
    kind: Operation['kind'],
    { node, call, subjects }: { node: NodeProcess; call: Call; subjects: readonly string[] },
    judge: (answer: Answer) => Outcome,
  ): Promise<{ answer: Answer; operation: Operation }> => {
    const startMs = nowMs()
    const answer = await http.send(node.url, call)
    const outcome = judge(answer)
    const { reason, code = reason } = answer.body
    const detail = [answer.status, code, answer.error].filter(Boolean).join(' ')
    const request = `${call.method} ${call.path}`
    const rest = { outcome, request, detail, subjects }
    const operation: Operation = { kind, node: node.index, startMs, endMs: nowMs(), ...rest }
    operations.push(operation)
    return { answer, operation }
  }

  return {
    operations,
    anyNode,
    async create(by, body, node = anyNode()) {
      const call = post(by, '/v1/sessions', body)
      const { answer, operation } = await run(
        'create',
        { node, call, subjects: by.subjects },
        outcomeOf,
      )
      const session = sessionOf(answer, body.user_id)
      if (session !== null) operation.created = session.id
      return session
    },
    async verify(by, session, node = anyNode()) {
      const call = post(by, '/v1/sessions/verify', { token: session.accessToken })
      const kid = `kid:${kidOf(session.accessToken)}`
      const subjects = [...by.subjects, `session:${session.id}`, kid]
      const { operation } = await run('verify', { node, call, subjects }, answer =>
        outcomeOf(answer) === 'accepted' && answer.body.valid !== true
          ? 'refused'
          : outcomeOf(answer),
      )
      return operation
    },
    async refresh(by, session, node = anyNode()) {
      const call = post(by, '/v1/sessions/refresh', { refresh_token: session.refreshToken })
      const subjects = [...by.subjects, `session:${session.id}`]
      const { answer } = await run('refresh', { node, call, subjects }, outcomeOf)
      return sessionOf(answer, session.userId)
    },
    async revoke(subjects, call, isDone = ({ status }) => status >= 200 && status < 300) {
      const node = anyNode()
      const { answer, operation } = await run('revoke', { node, call, subjects }, given => {
        if (isDone(given)) return 'accepted'
        return outcomeOf(given) === 'failed' ? 'failed' : 'refused'
      })
      return { isAcknowledged: operation.outcome === 'accepted', node: node.index, answer }
    },
    plain: call => http.send(anyNode().url, call),
    close: http.close,
  }
}

export const post = ({ key, tenantId }: Credential, path: string, body?: unknown): Call => ({
  method: 'POST',
  path,
  key,
  tenantId,
  ...(body !== undefined && { body }),
})

export const remove = ({ key, tenantId }: Credential, path: string): Call => ({
  method: 'DELETE',
  path,
  key,
  tenantId,
})

/** The name of the key that signed a token. */
export function kidOf(token: string): string {
  const header = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString())
  return String(header.kid)
}

function outcomeOf({ status }: Answer): Outcome {
  if (status >= 200 && status < 300) return 'accepted'
  return status === 0 || status === 408 || status === 429 || status >= 500 ? 'failed' : 'refused'
}

function sessionOf({ status, body }: Answer, userId: string): Session | null {
  const { session, access_token: accessToken, refresh_token: refreshToken } = body
  if (status >= 300 || session === undefined) return null
  if (accessToken === undefined || refreshToken === undefined) return null
  return { id: session.id, userId, accessToken, refreshToken }
}
