import type { Socket } from 'node:net'
import { newId } from '../shared/ids.ts'
import { STATUS_CODES } from '../shared/node-http.ts'
import { Problem } from '../shared/problem.ts'
import { PROBLEM_CONTENT_TYPE, toProblemDocument } from './problem-document.ts'
import { securityHeaders } from './security-headers.ts'

/**
 * Answers what Node could not read as HTTP, in the same form as everything else. There is no
 * request yet, so the answer is written to the socket by hand.
 */
export function createClientErrorHandler(publicUrl: string) {
  const headers = Object.entries(securityHeaders(publicUrl))
  // The parser reports every further chunk of a broken stream again.
  const answered = new WeakSet<Socket>()
  return (error: Error & { code?: string }, socket: Socket): void => {
    if (answered.has(socket)) return
    answered.add(socket)
    if (error.code === 'ECONNRESET' || !socket.writable || hasBegunAnswer(socket)) {
      socket.destroy()
      return
    }
    const requestId = newId('req')
    const problem = toClientProblem(error.code)
    const body = JSON.stringify(toProblemDocument(problem, requestId, publicUrl))
    const lines = [
      `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
      `content-type: ${PROBLEM_CONTENT_TYPE}`,
      `content-length: ${Buffer.byteLength(body)}`,
      ...headers.map(([name, value]) => `${name}: ${value}`),
      `x-request-id: ${requestId}`,
      `date: ${new Date().toUTCString()}`,
      'connection: close',
    ]
    socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`)
    // Time for the caller to read the answer: closing over unread data would reset the connection.
    setTimeout(() => socket.destroy(), LINGER_MS).unref()
  }
}

const LINGER_MS = 500

function toClientProblem(code: string | undefined): Problem {
  if (code === 'HPE_HEADER_OVERFLOW')
    return new Problem('headers_too_large', { detail: 'Request line and headers: 16 KB at most.' })
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new Problem('request_timeout', { detail: 'The request did not arrive in time.' })
  return new Problem('request_invalid', { detail: 'This is not valid HTTP.' })
}

/** A second status line in the middle of an answer would be read as part of it. */
function hasBegunAnswer(socket: Socket): boolean {
  const response: unknown = Reflect.get(socket, '_httpMessage')
  return (
    typeof response === 'object' && response !== null && Reflect.get(response, '_header') !== null
  )
}
