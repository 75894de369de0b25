import type { Refusal } from './refusal.ts'

export const toResponse = ({ status, headers, body }: Refusal): Response =>
  new Response(body, { status, headers })
