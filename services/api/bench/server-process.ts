import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

export interface ServerProcess {
  url: string
  /** All that it has printed so far. */
  output: string[]
  /** User and system time that the process has used, in milliseconds. */
  cpuMs(): number
  stop(): Promise<void>
}

/** Starts a server in a process of its own, and waits until it says that it is ready. */
export async function startServer(
  script: string,
  args: string[] = [],
  env: Record<string, string> = {},
): Promise<ServerProcess> {
  const path = new URL(script, import.meta.url).pathname
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', path, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const output: string[] = []
  const url = await readUntilReady(child, output)
  return {
    url,
    output,
    cpuMs: () => cpuMsOf(child.pid ?? 0),
    stop: () =>
      new Promise(resolve => {
        child.once('exit', () => resolve())
        child.kill('SIGTERM')
      }),
  }
}

async function readUntilReady(child: ChildProcess, output: string[]): Promise<string> {
  if (child.stdout === null) throw new Error('the server has no output')
  for await (const line of createInterface({ input: child.stdout })) {
    output.push(line)
    const url = /^Sesame is ready on (\S+)/.exec(line)?.[1]
    if (url !== undefined) return url
  }
  throw new Error(`the server ended before it was ready:\n${output.join('\n')}`)
}

const CLOCK_TICKS_PER_SECOND = 100

/** From /proc, so that threads of the process count too. */
function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / CLOCK_TICKS_PER_SECOND
}
