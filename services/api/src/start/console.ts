import { DatabaseUnreachableError, EmbeddedPostgresError, MigrationError } from '@sesame/db'
import { type Config, ConfigError } from '../shared/config.ts'
import { StartError } from './start-error.ts'

/** For people: plain text on stdout. The service's log is JSON on stderr. */
export function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** Why a start failed, in one line for each thing to do; never a stack trace. */
export function explainStartError(error: unknown, config: Config | null): string[] {
  if (error instanceof ConfigError) return [...error.problems]
  const isExpected = [
    StartError,
    DatabaseUnreachableError,
    EmbeddedPostgresError,
    MigrationError,
  ].some(type => error instanceof type)
  const message = error instanceof Error ? error.message : String(error)
  if (isExpected) return [oneLine(message)]
  return [listenProblem(error, config) ?? `Sesame could not start: ${oneLine(message)}`]
}

function listenProblem(error: unknown, config: Config | null): string | null {
  if (!(error instanceof Error && 'syscall' in error && 'code' in error) || config === null)
    return null
  const { host, port } = config
  if (error.code === 'EADDRINUSE') return `port ${port} on ${host} is taken: set PORT to a free one`
  if (error.code === 'EACCES' && error.syscall === 'listen')
    return `port ${port} needs more rights: set PORT to one above 1023`
  if (error.syscall === 'listen' || error.syscall === 'getaddrinfo')
    return `cannot listen on ${host}: set HOST to an address of this machine`
  return null
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ').trim()
}
