import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { EmbeddedPostgresError } from './errors.ts'
import type { Launch } from './postgres-user.ts'
import { isPostmasterOf, signal, waitUntil } from './processes.ts'

/** A running Postgres server, seen from the process that started it. */
export interface Postmaster {
  pid: number
  /** Resolves when the server has ended, for whatever reason. */
  exited: Promise<void>
  stop(timeoutMs: number): Promise<void>
}

export interface PostmasterOptions {
  launch: Launch
  program: string
  clusterDir: string
  settings: Record<string, string>
  onLog: (line: string) => void
}

interface PidFile {
  pid: number
  port: string
  status: string
}

// The server is in a process group of its own, so that Ctrl-C in a terminal does not stop it before
// our last request has finished. So that it never outlives us either, this shell holds a pipe that
// the kernel closes when we end, in whatever way, and then asks the server for a fast shutdown.
const GUARD = `
trap '' INT TERM HUP
"$@" 3<&- >/dev/null &
server=$!
echo "$server"
{ read -r _; kill -INT "$server"; } <&3 2>/dev/null &
watcher=$!
wait "$server"
status=$?
kill -9 "$watcher" 2>/dev/null
exit "$status"
`

/** Starts the server and waits until it accepts connections, crash recovery included. */
export async function startPostmaster(options: PostmasterOptions): Promise<Postmaster> {
  const { clusterDir, settings, launch } = options
  await endOrphan(clusterDir)
  const guard = spawnGuard(options)
  const lifeline = guard.stdio[3]
  const lastLines = collectLines(guard.stderr, options.onLog)
  const exited = once(guard, 'exit').then(() => void lifeline?.destroy())
  const pid = await firstLine(guard.stdout)
  const isReady = () => {
    const file = readPidFile(clusterDir)
    return file?.pid === pid && file.port === settings.port && file.status === 'ready'
  }
  if (!(await becameReady(guard, isReady))) throw startError(lastLines, launch)
  return {
    pid,
    exited,
    stop: async timeoutMs => {
      lifeline?.destroy()
      await endServer(pid, clusterDir, exited, timeoutMs)
    },
  }
}

function spawnGuard({ launch, program, clusterDir, settings }: PostmasterOptions): ChildProcess {
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const server = [program, '-D', clusterDir, ...flags]
  const guard = ['/bin/sh', '-c', GUARD, 'sesame-postgres', ...server]
  const [command = '', ...args] = [...launch.prefix, ...guard]
  const stalePid = readPidFile(clusterDir)?.pid
  return spawn(command, args, {
    ...launch.spawnOptions,
    // We have made sure that this pid is not a server of this cluster (any more), but it may be some
    // other living process by now, and Postgres would refuse to start. This is how pg_ctl tells it
    // that the pid does not count; the pid file stays, and with it the check for living backends.
    env: { ...launch.spawnOptions.env, ...(stalePid && { PG_GRANDPARENT_PID: String(stalePid) }) },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
}

/** Ends the server that a killed owner left behind; the caller holds the lock of the folder. */
async function endOrphan(clusterDir: string): Promise<void> {
  const pid = readPidFile(clusterDir)?.pid
  if (pid === undefined) return
  const isOrphan = () => isPostmasterOf(pid, clusterDir)
  signal(pid, 'SIGINT', isOrphan)
  if (await waitUntil(() => !isOrphan(), 5_000)) return
  signal(pid, 'SIGQUIT', isOrphan)
  if (await waitUntil(() => !isOrphan(), 2_000)) return
  signal(pid, 'SIGKILL', isOrphan)
  if (await waitUntil(() => !isOrphan(), 2_000)) return
  throw new EmbeddedPostgresError(`an old Postgres, process ${pid}, does not end: end it yourself`)
}

/** The fast shutdown has been asked for; waits for it, then insists. WAL makes both harmless. */
async function endServer(
  pid: number,
  clusterDir: string,
  exited: Promise<void>,
  timeoutMs: number,
): Promise<void> {
  const isRunning = () => isPostmasterOf(pid, clusterDir)
  if (await settlesWithin(exited, timeoutMs)) return
  signal(pid, 'SIGQUIT', isRunning)
  if (await settlesWithin(exited, 1_000)) return
  signal(pid, 'SIGKILL', isRunning)
  await settlesWithin(exited, 1_000)
}

async function settlesWithin(promise: Promise<void>, timeoutMs: number): Promise<boolean> {
  const giveUp = new AbortController()
  const timeout = sleep(timeoutMs, false, { signal: giveUp.signal }).catch(() => false)
  const isSettled = await Promise.race([promise.then(() => true), timeout])
  giveUp.abort()
  return isSettled
}

async function becameReady(guard: ChildProcess, isReady: () => boolean): Promise<boolean> {
  // No time limit: replaying a lot of WAL after a crash takes what it takes.
  while (guard.exitCode === null && guard.signalCode === null) {
    if (isReady()) return true
    await sleep(5)
  }
  return false
}

function startError(lastLines: string[], launch: Launch): EmbeddedPostgresError {
  const line = lastLines.findLast(text => /FATAL|PANIC/.test(text)) ?? lastLines.at(-1)
  const reason = line?.replace(/^.*(?:FATAL|PANIC):\s*/, '') ?? 'it ended without a word'
  const identity = launch.user === null ? '' : ` (as user id ${launch.user.uid})`
  return new EmbeddedPostgresError(`Postgres did not start${identity}: ${reason}`)
}

/** Hands on each line of the log and keeps the latest for an error message. */
function collectLines(stream: Readable | null, onLog: (line: string) => void): string[] {
  const lines: string[] = []
  if (stream === null) return lines
  createInterface({ input: stream }).on('line', line => {
    lines.push(line)
    if (lines.length > 20) lines.shift()
    onLog(line)
  })
  return lines
}

async function firstLine(stream: Readable | null): Promise<number> {
  if (stream === null) return 0
  for await (const line of createInterface({ input: stream })) return Number(line)
  return 0
}

/** https://www.postgresql.org/docs/18/storage-file-layout.html, miscinit.h for the lines. */
function readPidFile(clusterDir: string): PidFile | null {
  try {
    const lines = readFileSync(join(clusterDir, 'postmaster.pid'), 'utf8').split('\n')
    const pid = Number(lines[0])
    if (!Number.isSafeInteger(pid) || pid <= 0) return null
    return { pid, port: lines[3] ?? '', status: lines[7]?.trim() ?? '' }
  } catch {
    return null
  }
}
