import { execFileSync } from 'node:child_process'
import { readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * What tells a process from a later one with the same pid: its start, in the kernel's words.
 * Null when there is no such process, or only a zombie that nobody has reaped.
 */
export function processStart(pid: number): string | null {
  return process.platform === 'linux' ? linuxProcessStart(pid) : psProcessStart(pid)
}

/** True when `pid` is the postmaster that serves this cluster folder, and nothing else. */
export function isPostmasterOf(pid: number, clusterDir: string): boolean {
  if (processStart(pid) === null) return false
  if (process.platform !== 'linux')
    return ps(pid, 'command=').includes(`postgres -D ${clusterDir} `)
  try {
    // After an `npm ci` under a running server the kernel says "…/postgres (deleted)".
    const isPostgres = basename(readlinkSync(`/proc/${pid}/exe`)).startsWith('postgres')
    return isPostgres && readlinkSync(`/proc/${pid}/cwd`) === realpathSync(clusterDir)
  } catch {
    return false
  }
}

/** Signals a process for as long as `isStill` says that the pid means it. */
export function signal(pid: number, name: NodeJS.Signals, isStill: () => boolean): void {
  if (!isStill()) return
  try {
    process.kill(pid, name)
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error
  }
}

/** Polls `isDone` until it holds or the time is up; says whether it held. */
export async function waitUntil(isDone: () => boolean, timeoutMs: number): Promise<boolean> {
  const intervalMs = 10
  for (let waitedMs = 0; waitedMs < timeoutMs; waitedMs += intervalMs) {
    if (isDone()) return true
    await sleep(intervalMs)
  }
  return isDone()
}

/** The `code` of a system error such as ENOENT, or an empty string. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

function linuxProcessStart(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The command name (field 2) may itself hold spaces and brackets: count from the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [state, startTicks] = [fields[0], fields[19]]
    if (state === 'Z' || state === 'X' || startTicks === undefined) return null
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8)
    return `${bootId}-${startTicks}`
  } catch {
    return null
  }
}

function psProcessStart(pid: number): string | null {
  const [state = '', ...started] = ps(pid, 'stat=,lstart=').trim().split(/\s+/)
  if (state === '' || state.startsWith('Z')) return null
  return started.join('-').replaceAll(':', '-')
}

function ps(pid: number, columns: string): string {
  try {
    return execFileSync('/bin/ps', ['-o', columns, '-p', String(pid)], { encoding: 'utf8' })
  } catch {
    return ''
  }
}
