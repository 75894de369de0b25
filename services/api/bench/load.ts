import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

export interface Call {
  method: 'POST' | 'GET' | 'DELETE'
  path: string
  headers: Record<string, string>
  /** Left out: the request has none. */
  body?: string
  /** What the answer must contain. */
  expects: string
}

/** A call as the load process sends it. */
export interface WireCall {
  head: string
  body: string
  expects: string
}

export interface LoadOrder {
  port: number
  requests: number
  connections: number
  /** The status that every answer must have. */
  status: number
  /** Another status that an answer may have; what such an answer holds is not looked at. */
  orStatus?: number
  /** What every answer must contain, in place of what each call says. */
  expects?: string
  /** A pattern whose first group is taken out of every answer. */
  collect?: string
  /** An open loop at this rate; left out: the next request follows an answer. */
  perSecond?: number
}

export interface LoadReport {
  durationMs: number
  p50Ms: number
  p99Ms: number
  collected: string[]
}

/** Sends requests from a process of its own, and checks every answer. */
export interface Loader {
  /** Sets what is sent from now on, in rotation. */
  prepare(calls: Call[]): Promise<void>
  run(order: LoadOrder): Promise<LoadReport>
  stop(): void
}

export function startLoader(): Loader {
  const path = new URL('./load-process.ts', import.meta.url).pathname
  const child = fork(path, {
    serialization: 'advanced',
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  return {
    async prepare(calls) {
      await ask(child, calls.map(toWire))
    },
    run: order => ask(child, order),
    stop: () => void child.kill(),
  }
}

/** The next message of a process of the bench is the answer to the last one that it was sent. */
export async function ask<T>(child: ChildProcess, message: object): Promise<T> {
  child.send(message)
  const [answer] = await once(child, 'message')
  if ('failed' in answer) throw new Error(answer.failed)
  return answer
}

function toWire({ method, path, headers, body = '', expects }: Call): WireCall {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const type = 'content-type' in headers ? '' : 'content-type: application/json\r\n'
  const typed = `${type}content-length: ${Buffer.byteLength(body)}\r\n`
  const head = `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${lines.join('')}`
  return { head: `${head}${body === '' ? '' : typed}\r\n`, body, expects }
}
