import { createHmac } from 'node:crypto'
import { writeFileSync } from 'node:fs'

/** What the bench tells a peer: how many sign-ins to make, and where to put what proves them. */
export const { count, file } = JSON.parse(process.argv[2] ?? '{"count":1,"file":"/dev/null"}')

/** Keeps the sign-ins for the bench, listens, and says so in the words it waits for. */
export function announce(server, signIns) {
  writeFileSync(file, JSON.stringify(signIns))
  server.listen(0, '127.0.0.1', () => {
    console.log(`Sesame is ready on http://127.0.0.1:${server.address().port}`)
  })
  process.on('SIGTERM', () => process.exit(0))
}

/** A cookie as express-session and better-auth sign it: the value, and its HMAC. */
export function signed(value, secret) {
  return `${value}.${createHmac('sha256', secret).update(value).digest('base64')}`
}
