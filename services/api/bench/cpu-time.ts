import { readdirSync, readFileSync } from 'node:fs'

const CLOCK_TICKS_PER_SECOND = 100

/** User and system time that all threads of a process have used, in milliseconds. */
export function cpuMsOf(pid: number): number {
  try {
    // In nanoseconds, where the ticks of `stat` are ten milliseconds long.
    const threads = readdirSync(`/proc/${pid}/task`)
    return threads.map(thread => runMsOf(`/proc/${pid}/task/${thread}`)).reduce((a, b) => a + b, 0)
  } catch {
    return ticksMsOf(pid)
  }
}

const runMsOf = (folder: string): number =>
  Number(readFileSync(`${folder}/schedstat`, 'utf8').split(' ')[0]) / 1e6

function ticksMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / CLOCK_TICKS_PER_SECOND
}

/** Resident memory of a process, in bytes. */
export function residentBytesOf(pid: number): number {
  const [, pages] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')
  return Number(pages) * 4096
}
