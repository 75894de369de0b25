import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A line between a node and Postgres that counts what the node asks: no counter of ours to believe. */
export interface RoundTrips {
  /** The connection string that leads over this line. */
  url: string
  /** Since the start, by the name that the connection gave itself. */
  count(applicationName: string): number
  close(): Promise<void>
}

export async function countRoundTrips(databaseUrl: string): Promise<RoundTrips> {
  const target = new URL(databaseUrl)
  const counts = new Map<string, number>()
  const sockets = new Set<Socket>()
  const server = createServer(near => {
    const far = connect(Number(target.port), target.hostname)
    const reader = createReader(name => counts.set(name, (counts.get(name) ?? 0) + 1))
    near.on('data', reader)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.setNoDelay(true)
      from.on('error', () => {})
      from.once('close', () => to.destroy())
      from.pipe(to)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(databaseUrl)
  url.port = String((server.address() as AddressInfo).port)
  return {
    url: url.href,
    count: name => counts.get(name) ?? 0,
    async close() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

const LENGTH_BYTES = 4
/** Query and Sync: after either, the client waits for Postgres to be ready again. */
const ENDS_OF_QUESTION = new Set([0x51, 0x53])

/** Reads the messages of a client: the first has no type, and says who it is. */
function createReader(onQuestion: (applicationName: string) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0)
  let name: string | null = null
  return chunk => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    for (;;) {
      const typeBytes = name === null ? 0 : 1
      if (rest.length < typeBytes + LENGTH_BYTES) return
      const length = typeBytes + rest.readInt32BE(typeBytes)
      if (rest.length < length) return
      if (name === null) name = applicationNameIn(rest.toString('latin1', 0, length))
      else if (ENDS_OF_QUESTION.has(rest.readUInt8(0))) onQuestion(name)
      rest = rest.subarray(length)
    }
  }
}

function applicationNameIn(startup: string): string {
  const fields = startup.split('\0')
  return fields[fields.indexOf('application_name') + 1] ?? ''
}
