import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** A line between one node and Postgres that can be slow, stand still, or be cut. */
export interface PostgresLine {
  /** The connection string that leads over this line. */
  url: string
  /** How long each answer takes. */
  delayMs: number
  /** Nothing passes any more, either way, and nobody is told: as when a machine stops. */
  stall(): void
  /** All that was held back goes on its way. */
  resume(): void
  /** Closes every connection of the moment, with the answers that are on their way. */
  cut(): void
  close(): Promise<void>
}

/**
 * An answer that is on its way for long was true when it left, and is no longer when it arrives:
 * nobody who came meanwhile may be served by it.
 */
export async function openPostgresLine(databaseUrl: string): Promise<PostgresLine> {
  const target = new URL(databaseUrl)
  const sockets = new Set<Socket>()
  let stalled: PromiseWithResolvers<void> | null = null

  const take = (from: Socket, to: Socket): void => {
    sockets.add(from)
    from.setNoDelay(true)
    from.on('error', () => {})
    if (stalled !== null) from.pause()
    from.once('close', () => {
      sockets.delete(from)
      to.destroy()
    })
  }
  const server = createServer(near => {
    const far = connect(Number(target.port), target.hostname)
    take(near, far)
    take(far, near)
    near.on('data', chunk => void far.write(chunk))
    deliver(
      far,
      near,
      () => line.delayMs,
      () => stalled?.promise ?? null,
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const url = new URL(databaseUrl)
  if (address !== null && typeof address !== 'string') url.port = String(address.port)

  const line: PostgresLine = {
    url: url.href,
    delayMs: 0,
    stall() {
      stalled ??= Promise.withResolvers()
      for (const socket of sockets) socket.pause()
    },
    resume() {
      stalled?.resolve()
      stalled = null
      for (const socket of sockets) socket.resume()
    },
    cut() {
      for (const socket of sockets) socket.destroy()
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      line.resume()
      line.cut()
      await closed
    },
  }
  return line
}

/** In order, however the delay changes. */
function deliver(
  from: Socket,
  to: Socket,
  delayMs: () => number,
  stalled: () => Promise<void> | null,
): void {
  let delivered = Promise.resolve()
  let waiting = 0
  from.on('data', chunk => {
    const ms = delayMs()
    if (ms === 0 && waiting === 0) return void to.write(chunk)
    const due = sleep(ms)
    waiting++
    delivered = Promise.all([delivered, due])
      .then(stalled)
      .then(() => {
        waiting--
        to.write(chunk)
      })
  })
}
