import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { cpuMsOf, residentBytesOf } from './cpu-time.ts'

export interface ServerProcess {
  url: string
  port: number
  pid: number
  /** From the start of the process until it said that it is ready. */
  startMs: number
  /** User and system time that the process has used, in milliseconds. */
  cpuMs(): number
  residentBytes(): number
  stop(): Promise<void>
}

export interface ServerOptions {
  /** Path of the program, beside this file. */
  script: string
  args?: string[]
  env?: Record<string, string>
  /** Where standard error goes, as an operator would keep a log. */
  logFile: string
}

/** Starts a server in a process of its own, and waits until it says that it is ready. */
export async function startServer(options: ServerOptions): Promise<ServerProcess> {
  const { script, args = [], env = {}, logFile } = options
  const path = new URL(script, import.meta.url).pathname
  const log = openSync(logFile, 'a')
  const began = performance.now()
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', path, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', log],
  })
  closeSync(log)
  const url = await readUntilReady(child)
  const startMs = performance.now() - began
  const pid = child.pid ?? 0
  return {
    url,
    port: Number(new URL(url).port),
    pid,
    startMs,
    cpuMs: () => cpuMsOf(pid),
    residentBytes: () => residentBytesOf(pid),
    stop: () => endOf(child),
  }
}

async function readUntilReady(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('the server has no output')
  const output: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    output.push(line)
    const url = /^Sesame is ready on (\S+)/.exec(line)?.[1]
    if (url !== undefined) {
      child.stdout.resume()
      return url
    }
  }
  throw new Error(`the server ended before it was ready:\n${output.join('\n')}`)
}

function endOf(child: ChildProcess): Promise<void> {
  return new Promise(resolve => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once('exit', () => resolve())
    child.kill('SIGTERM')
  })
}
