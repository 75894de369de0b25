import type { Operations } from '../generated/operations.ts'
import { attempt, readAnswer, type WireAnswer } from './attempt.ts'
import { fromWire } from './casing.ts'
import { sleep } from './deadline.ts'
import { type CreateOptions, checkOptions } from './request-options.ts'
import { retryDelayMs } from './retry.ts'
import { type AnyCall, requestOf, type TransportConfig } from './wire-request.ts'

export type Route = keyof Operations

/** What a route needs. `answers` names fields without which an answer is not what was asked for. */
export type Call<R extends Route> = Part<'path', Operations[R]['path']> &
  Part<'body', Operations[R]['body']> & {
    query?: Operations[R]['query'] & object
    options: CreateOptions | undefined
  } & (undefined extends Operations[R]['result']
    ? unknown
    : { answers: readonly KeyOfAny<Operations[R]['result']>[] })

/** Of a result with several forms: the fields of each. */
type KeyOfAny<T> = T extends unknown ? keyof T : never

type Part<Name extends string, Value> = Value extends object ? { [name in Name]: Value } : unknown

/** Sends a request with its retries, and gives what the route answers, in the names of TypeScript. */
export type Transport = <R extends Route>(
  route: R,
  call: Call<R>,
) => Promise<Operations[R]['result']>

/** Chance and time, which tests hold in their hands. */
export interface TransportSeams {
  random: () => number
  sleep: (delayMs: number, signal?: AbortSignal) => Promise<void>
  /** A stream beats every five seconds: when it says nothing for so long, nobody is there. */
  maxSilenceMs: number
}

export const SYSTEM_SEAMS: TransportSeams = {
  random: Math.random,
  sleep,
  maxSilenceMs: 15_000,
}

export function createTransport(config: TransportConfig, seams: TransportSeams): Transport {
  const send = async (
    route: string,
    call: AnyCall & { answers?: readonly string[] },
  ): Promise<unknown> => {
    const { options = {}, answers } = call
    checkOptions(options)
    const request = requestOf(config, route, call)
    const { fetch } = config
    const { signal, timeoutMs = config.timeoutMs, maxRetries = config.maxRetries } = options
    for (let retries = 0; ; retries++) {
      try {
        const limits = { fetch, timeoutMs, signal }
        return understand(await attempt(request, limits, readAnswer), answers)
      } catch (error) {
        const delayMs = retries < maxRetries ? retryDelayMs(error, retries, seams.random) : null
        if (delayMs === null) throw error
        await seams.sleep(delayMs, signal)
      }
    }
  }
  return send as Transport
}

/** A 200 of something else than Sesame must not pass for a session, or for "revoked". */
function understand(
  { status, text, refuse }: WireAnswer,
  answers: readonly string[] | undefined,
): unknown {
  const fail = (what: string): never => {
    throw refuse(`answered ${status} ${what}: is baseUrl that of Sesame?`)
  }
  if (answers === undefined) return status === 204 ? undefined : fail('and not 204')
  const answer = parse(text)
  if (answer === null) return fail('with something else than a JSON object')
  const missing = answers.find(field => answer[field] === undefined)
  return missing === undefined ? answer : fail(`without ${missing}`)
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value = fromWire(JSON.parse(text))
    return typeof value === 'object' && !Array.isArray(value)
      ? (value as Record<string, unknown> | null)
      : null
  } catch {
    return null
  }
}
