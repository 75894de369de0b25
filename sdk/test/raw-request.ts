import { connect } from 'node:net'

export interface RawAnswer {
  status: number
  text: string
}

/** Sends header lines as they are, byte for byte, which no HTTP client would. */
export async function rawRequest(url: string, path: string, lines: string[]): Promise<RawAnswer> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  // The server may answer and hang up while we still send.
  socket.on('error', () => {})
  const head = [`GET ${path} HTTP/1.1`, 'Host: app.test', 'Connection: close', ...lines]
  socket.write(Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'))
  const chunks: Buffer[] = []
  socket.on('data', chunk => chunks.push(chunk))
  await new Promise(resolve => socket.once('close', resolve))
  const text = Buffer.concat(chunks).toString('latin1')
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), text }
}
