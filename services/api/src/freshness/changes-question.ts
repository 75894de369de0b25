import type { Pool } from 'pg'

/**
 * One prepared statement with text parameters and one column of text, sent to Postgres as one write.
 * It is the statement that every request waits for, and pg's own way costs half as much again: five
 * messages, one of which asks for the description of columns that are known. pg takes such a query of
 * one's own by its `submit` (as pg-cursor is), and keeps all that a connection must do: start, errors,
 * time-outs, the order of answers. Messages by the PostgreSQL frontend/backend protocol, 3.0.
 */
export function askOnce(
  pool: Pool,
  statement: PreparedText,
  parameters: string[],
): Promise<string[]> {
  const question = new Question(statement, parameters)
  // pg's types know such a query only where it gives its rows by itself; here the callback has them.
  return Reflect.apply(pool.query, pool, [question])
}

export interface PreparedText {
  name: string
  text: string
}

/** The part of pg's connection that a query of one's own gets to see. */
interface Connection {
  parsedStatements: Record<string, string>
  stream: { write(bytes: Buffer): unknown }
  parse(statement: PreparedText): void
}

class Question implements PreparedText {
  readonly name: string
  readonly text: string
  /** Set by pg. */
  callback: ((error: Error | null, lines?: string[]) => void) | undefined
  readonly #parameters: string[]
  readonly #lines: string[] = []

  constructor({ name, text }: PreparedText, parameters: string[]) {
    this.name = name
    this.text = text
    this.#parameters = parameters
  }

  submit(connection: Connection): void {
    if (connection.parsedStatements[this.name] === undefined) connection.parse(this)
    connection.stream.write(toMessages(this.name, this.#parameters))
  }

  handleDataRow({ fields }: { fields: string[] }): void {
    this.#lines.push(...fields)
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.callback?.(null, this.#lines)
  }

  handleError(error: Error): void {
    this.callback?.(error)
  }
}

const EXECUTE_AND_SYNC = Buffer.from('E\0\0\0\u0009\0\0\0\0\0S\0\0\0\u0004', 'latin1')
const LENGTH_BYTES = 4
const COUNT_BYTES = 2

/** Bind of the unnamed portal, everything as text; then Execute without a limit, and Sync. */
function toMessages(name: string, parameters: string[]): Buffer {
  const values = parameters.map(parameter => Buffer.from(parameter))
  const valueBytes = values.reduce((total, { length }) => total + LENGTH_BYTES + length, 0)
  const bindBytes = LENGTH_BYTES + 1 + name.length + 1 + 3 * COUNT_BYTES + valueBytes
  const messages = Buffer.allocUnsafe(1 + bindBytes + EXECUTE_AND_SYNC.length)
  let at = messages.write('B', 0, 'latin1')
  at = messages.writeInt32BE(bindBytes, at)
  at += messages.write(`\0${name}\0`, at, 'latin1')
  at = messages.writeInt16BE(0, at)
  at = messages.writeInt16BE(values.length, at)
  for (const value of values) {
    at = messages.writeInt32BE(value.length, at)
    at += value.copy(messages, at)
  }
  at = messages.writeInt16BE(0, at)
  EXECUTE_AND_SYNC.copy(messages, at)
  return messages
}
