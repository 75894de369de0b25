import pino, { type Level, type Logger } from 'pino'

export type Log = Logger

/** One JSON object a line, on stderr: stdout is for people. */
export function createLog(level: Level | 'silent'): Log {
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: true }),
  )
}
