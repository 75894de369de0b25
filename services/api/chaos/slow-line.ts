import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** A line between a node and Postgres on which answers can be made to take longer. */
export interface SlowLine {
  /** The connection string that leads over this line. */
  url: string
  delayMs: number
  close(): Promise<void>
}

/**
 * An answer that is on its way for long was true when it left, and is no longer when it arrives:
 * nobody who came meanwhile may be served by it.
 */
export async function openSlowLine(databaseUrl: string): Promise<SlowLine> {
  const target = new URL(databaseUrl)
  const sockets = new Set<Socket>()
  const server = createServer(near => {
    const far = connect(Number(target.port), target.hostname)
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.once('close', () => sockets.delete(socket))
    }
    near.pipe(far)
    near.once('close', () => far.destroy())
    deliverLate(far, near, () => line.delayMs)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const url = new URL(databaseUrl)
  if (address !== null && typeof address !== 'string') url.port = String(address.port)
  const line: SlowLine = {
    url: url.href,
    delayMs: 0,
    async close() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
  return line
}

/** In order, however the delay changes. */
function deliverLate(from: Socket, to: Socket, delayMs: () => number): void {
  let delivered = Promise.resolve()
  let waiting = 0
  from.on('data', chunk => {
    const ms = delayMs()
    if (ms === 0 && waiting === 0) return void to.write(chunk)
    const due = sleep(ms)
    waiting++
    delivered = Promise.all([delivered, due]).then(() => {
      waiting--
      to.write(chunk)
    })
  })
  from.once('close', () => void delivered.then(() => to.destroy()))
}
