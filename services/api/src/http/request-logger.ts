import type { FastifyBaseLogger } from 'fastify'

type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

/**
 * The logger of one request: a child of the process's, made when there is something to say. Most
 * requests say nothing but the line that they leave (request-line.ts), which is written without it.
 */
export class RequestLogger implements FastifyBaseLogger {
  readonly #parent: FastifyBaseLogger
  readonly #bindings: Record<string, unknown>
  #made: FastifyBaseLogger | undefined

  constructor(parent: FastifyBaseLogger, bindings: Record<string, unknown>) {
    this.#parent = parent
    this.#bindings = bindings
  }

  get level(): string {
    return this.#parent.level
  }

  trace(...args: unknown[]): void {
    this.#say('trace', args)
  }

  debug(...args: unknown[]): void {
    this.#say('debug', args)
  }

  info(...args: unknown[]): void {
    this.#say('info', args)
  }

  warn(...args: unknown[]): void {
    this.#say('warn', args)
  }

  error(...args: unknown[]): void {
    this.#say('error', args)
  }

  fatal(...args: unknown[]): void {
    this.#say('fatal', args)
  }

  silent(): void {}

  child(bindings: Record<string, unknown>): FastifyBaseLogger {
    return this.#own().child(bindings)
  }

  #say(level: Level, args: unknown[]): void {
    const logger = this.#own()
    Reflect.apply(logger[level], logger, args)
  }

  #own(): FastifyBaseLogger {
    this.#made ??= this.#parent.child(this.#bindings)
    return this.#made
  }
}
