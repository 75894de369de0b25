import type { ServerResponse } from 'node:http'
import type { Refusal } from './refusal.ts'

/** Headers that were set before, such as those of CORS, stay. An answer that had begun breaks off. */
export function respondByNode(response: ServerResponse, refusal: Refusal): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  response.statusCode = refusal.status
  for (const [name, value] of Object.entries(refusal.headers)) response.setHeader(name, value)
  response.end(refusal.body)
}
