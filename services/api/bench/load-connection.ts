import { connect } from 'node:net'

export interface Answer {
  status: number
  body: string
}

/** One kept-open connection, one request at a time. */
export interface LoadConnection {
  /** @param request the bytes of a whole request. */
  send(request: Buffer): Promise<Answer>
  close(): void
}

/**
 * HTTP by hand: a client library would take more of the machine than the server under test. It reads
 * answers that carry a length, and those of peers that come in chunks.
 */
export async function openConnection(port: number): Promise<LoadConnection> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  let received = ''
  let waiting: { resolve(answer: Answer): void; reject(error: Error): void } | null = null
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  // One character a byte, and no copy but the text itself.
  socket.setEncoding('latin1')
  socket.on('data', (text: string) => {
    received += text
    const answer = readAnswer(received)
    if (answer === null) return
    received = ''
    waiting?.resolve(answer)
  })
  const fail = (error?: Error): void =>
    waiting?.reject(error ?? new Error('the server closed a connection'))
  socket.on('error', fail)
  socket.on('close', () => fail())
  return {
    send(request) {
      return new Promise((resolve, reject) => {
        waiting = { resolve, reject }
        socket.write(request)
      })
    },
    close() {
      waiting = null
      socket.destroy()
    },
  }
}

const LAST_CHUNK = '0\r\n\r\n'

/** Null while it is not whole. The body stays Latin-1, one character a byte. */
function readAnswer(text: string): Answer | null {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd === -1) return null
  const status = Number(text.slice(9, 12))
  const head = text.slice(0, headEnd)
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
  const body = text.slice(headEnd + 4)
  if (length === undefined && /\r\ntransfer-encoding: chunked/i.test(head))
    return body.endsWith(LAST_CHUNK) ? { status, body } : null
  if (length === undefined && status !== 204) throw new Error(`an answer with no length: ${head}`)
  return body.length < Number(length ?? 0) ? null : { status, body }
}
