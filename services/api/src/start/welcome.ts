import { isIP } from 'node:net'
import { httpUrl } from '../shared/config.ts'

export interface Welcome {
  host: string
  port: number
  operatorKey: string | null
  masterKey: string | null
  masterKeyPath: string
  demo: { tenantId: string; secretKey: string } | null
}

/** What a first start shows, once; empty when there is nothing new. */
export function renderWelcome(welcome: Welcome): string {
  const { operatorKey, masterKey, demo } = welcome
  const secrets = [
    ...(operatorKey === null ? [] : [`  Operator key  ${operatorKey}`]),
    ...(masterKey === null
      ? []
      : [`  Master key    ${masterKey}`, `                kept in ${welcome.masterKeyPath}`]),
    ...(demo === null
      ? []
      : [`  Demo tenant   ${demo.tenantId}`, `  Secret key    ${demo.secretKey}`]),
  ]
  if (secrets.length === 0) return ''
  const heading = 'Made on this first start and shown only now. Keep them:'
  const lines = [
    '',
    heading,
    '',
    ...secrets,
    '',
    ...(demo === null ? [] : renderTour(welcome, demo)),
  ]
  return `${lines.join('\n')}\n`
}

/** Lines for bash, to be pasted one by one or all at once. */
function renderTour({ host, port }: Welcome, demo: NonNullable<Welcome['demo']>): string[] {
  const url = httpUrl(reachableHost(host), port)
  const curl = `curl -sS -H 'Authorization: Bearer ${demo.secretKey}'`
  const json = `-H 'Content-Type: application/json'`
  const verify = `${curl} ${json} -d "{\\"token\\":\\"$TOKEN\\"}" ${url}/v1/sessions/verify; echo`
  return [
    'Try it in bash. A session, its id and its access token:',
    '',
    `ANSWER=$(${curl} ${json} -d '{"user_id":"usr_42","amr":["pwd","otp"]}' ${url}/v1/sessions); echo "$ANSWER"`,
    `SESSION=$(echo "$ANSWER" | sed -E 's/.*"id":"(ses_[^"]+)".*/\\1/')`,
    `TOKEN=$(echo "$ANSWER" | sed -E 's/.*"access_token":"([^"]+)".*/\\1/')`,
    '',
    'The token is valid, the keys to check it yourself are public, the session is in the list:',
    '',
    verify,
    `curl -sS ${url}/t/${demo.tenantId}/.well-known/jwks.json; echo`,
    `${curl} '${url}/v1/sessions?user_id=usr_42'; echo`,
    '',
    'Revoke the session, and the token is refused:',
    '',
    `${curl} -X DELETE -w '%{http_code}\\n' ${url}/v1/sessions/$SESSION`,
    verify,
    '',
  ]
}

/** A service that listens on every address is reached on this machine by the loopback one. */
function reachableHost(host: string): string {
  if (isIP(host) === 4 && host === '0.0.0.0') return '127.0.0.1'
  return host === '::' ? '::1' : host
}
