/**
 * The body as text, or what is wrong with it: it is not UTF-8, or has more bytes than that, which is
 * known before all of it is held.
 */
export async function readText(
  response: Response,
  maxBytes: number,
): Promise<{ text: string } | { fault: string }> {
  if (response.body === null) return { text: '' }
  const reader = response.body.getReader()
  const refuse = (fault: string) => {
    // Not waited for: a server that sends on and on may also be slow to stop.
    reader.cancel().catch(() => {})
    return { fault }
  }
  const chunks: Uint8Array[] = []
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    bytes += value.byteLength
    if (bytes > maxBytes) return refuse(`more than ${maxBytes} bytes`)
    chunks.push(value)
  }
  try {
    return { text: decode(chunks) }
  } catch {
    return { fault: 'what is not UTF-8' }
  }
}

function decode(chunks: readonly Uint8Array[]): string {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const text = chunks.map(chunk => decoder.decode(chunk, { stream: true })).join('')
  return text + decoder.decode()
}
