import type { IncomingMessage } from 'node:http'

// Enough for a client that sends before it listens; beyond that it is not worth our bandwidth.
const MAX_DRAINED_BYTES = 16 * 1024 * 1024

/**
 * Reads the rest of a body that was refused, and throws it away. To close at once would reset the
 * connection under a client that still sends, and it would see that instead of the answer. The
 * server's request time-out ends those that never finish.
 */
export function drainRefusedBody(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return
  let drainedBytes = 0
  request.on('data', (chunk: Buffer) => {
    drainedBytes += chunk.length
    if (drainedBytes > MAX_DRAINED_BYTES) request.destroy()
  })
  request.on('error', () => {})
  request.resume()
}
