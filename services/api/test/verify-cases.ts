import { setTimeout as sleep } from 'node:timers/promises'
import type { World } from './revoked-meanwhile.ts'
import { TEST_OPERATOR_KEY } from './test-app.ts'
import { goodOf, joined, type Line, verifyOf } from './verify-ways.ts'

export interface Case {
  name: string
  /** In as many packets. */
  packets: Buffer[]
  /** 0: none comes of it alone. */
  answers: number
}

export function cases(world: World): Case[] {
  const { tenantId, key, session } = world
  const { accessToken: token } = session
  const all: Case[] = []
  const add = (name: string, packets: Buffer | Buffer[], answers = 1) =>
    void all.push({ name, packets: [packets].flat(), answers })
  const good = goodOf(world)
  const text = JSON.stringify({ token })

  for (const entry of entriesOf(BODIES)) {
    const body = entry.replace('$T', token).replace('$U', token.slice(1)).replaceAll('␡', '\u007f')
    const toControl = (picture: string) => String.fromCharCode(picture.charCodeAt(0) - 0x2400)
    add(entry, verifyOf(world, body.replace(/[\u2400-\u241f]/g, toControl)))
  }
  const known: Record<string, string> = {
    S: key.secret,
    I: tenantId,
    L: String(text.length),
    O: TEST_OPERATOR_KEY,
  }
  for (const entry of entriesOf(HEADERS)) {
    const [, name = '', values = ''] = /^([^:]*): ?(.*)$/s.exec(entry) ?? []
    const value = values.replace(/\$([SILO])/g, (_, of) => known[of] ?? '')
    add(entry.slice(0, 60), verifyOf(world, text, { [name]: value.split('|') }))
  }
  const withLine = (line: string, bytes = good) =>
    joined(line.replace('$P', '/v1/sessions/verify'), bytes.subarray(bytes.indexOf('\r\n')))
  for (const line of entriesOf(REQUEST_LINES))
    add(line, withLine(line), line.startsWith('HEAD') ? 0 : 1)

  for (const length of [9_999, 10_000, 70_000, 5_000_000])
    add(`a body of ${length}`, verifyOf(world, text.padEnd(length)))
  for (const length of [2_048, 2_049, 4_096, 4_097, 9_000])
    add(
      `a token of ${length}`,
      verifyOf(world, JSON.stringify({ token: token.padEnd(length, 'A') })),
    )
  const wide = '{"token":"é"}'
  add('Latin-1', verifyOf(world, Buffer.from(wide, 'latin1')))
  add('UTF-16', verifyOf(world, Buffer.from(text, 'utf16le')))
  add('half a character', verifyOf(world, Buffer.from(wide).subarray(0, 11)))
  add('no host', verifyOf(world, text, { host: [] }))
  add('no host, 1.0', withLine('POST $P HTTP/1.0', verifyOf(world, text, { host: [] })))
  add(
    '1.0, kept alive',
    withLine('POST $P HTTP/1.0', verifyOf(world, text, { connection: 'keep-alive' })),
  )
  add('bare line feeds', Buffer.from(good.toString().replaceAll('\r\n', '\n')))
  add('an empty line before', joined('\r\n', good))
  add('a body that is short', verifyOf(world, text, { 'content-length': '9000' }), 0)
  add('a body that stops', good.subarray(0, -1), 0)
  add('headers that stop', good.subarray(0, 60), 0)

  const chunks = `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`
  const chunked = verifyOf(world, chunks, { 'transfer-encoding': 'chunked', 'content-length': [] })
  const get = `GET /v1/sessions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${key.secret}\r\n\r\n`
  const [empty, bad, foreign] = [
    verifyOf(world, '{}'),
    verifyOf(world, '{"token":7}'),
    verifyOf(world, text, {}, 'x'),
  ]
  const kinds = joined(get, good, empty, get, good, chunked, good, bad, foreign, good)
  const inPackets = (bytes: Buffer, bytesEach: number) =>
    Array.from({ length: Math.ceil(bytes.length / bytesEach) }, (_, i) =>
      bytes.subarray(i * bytesEach, (i + 1) * bytesEach),
    )
  add('in chunks', chunked)
  for (const bytesEach of [100, 400, 800])
    add(`packets of ${bytesEach}`, inPackets(good, bytesEach))
  add('a bad one in two', inPackets(bad, bad.length - 5))
  add('many at once', joined(good, bad, good, good), 4)
  add('all kinds at once', kinds, 10)
  add('all kinds in small packets', inPackets(kinds, 300), 10)
  add('one that closes', joined(good, verifyOf(world, text, { connection: 'close' }), good), 2)
  add('rubbish after it', joined(good, 'rubbish\r\n\r\n'), 2)
  add('rubbish after a bad one', joined(empty, 'rubbish\r\n\r\n'), 2)
  return all
}

const LAST = 'GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n'

/** All that comes back: for the case, and for one request more. */
export async function outcomeOf(line: Line, { name, packets, answers }: Case): Promise<string> {
  for (const packet of packets) {
    line.socket.write(packet)
    if (packets.length > 1) await sleep(10)
  }
  await line.until(answers || 1, answers === 0 ? 300 : 5_000)
  const early = line.answers.length
  line.socket.write(LAST)
  await line.until(99, answers === 0 ? 300 : 5_000)
  line.socket.destroy()
  return JSON.stringify([name, early, line.isClosed, line.answers], null, 1)
}

const entriesOf = (table: string): string[] => table.slice(1).split(/[\n¦]/)

// Parted by "¦". $T is a good token, $U all but its first letter; control characters are written by their pictures.
const BODIES = String.raw`
{"token":"$T"}¦{"token":"\u0065$U"}¦␉␊␍ {␊"token"␉:␍"$T" }␊␍␉¦{"token":""}¦{"token":"x"}¦{"token":"a.b"}¦{"token":"a.b.c"}
{"token":".."}¦{"token":"$Tx"}¦{"token":"$T.x"}¦{"token":" $T"}¦{"token":"eyJhbGciOiJub25lIn0.e30."}
{"token":"__proto__"}¦{"token":"constructor"}¦{"token":"<>&~!#"}¦␋{"token":"x"}¦{"token":"x"}␀
{"token":"x␀"}¦{"token":"x␉"}¦{"token":"x␡"}¦{"token":"x","token":"y"}¦{"token":"x","a":1}
{"a":1,"token":"x"}¦{"token":"\u0041"}¦{"to\u006ben":"x"}¦{"token":"\u0000"}¦{"token":"\ud800"}
{"token":"\""}¦{"token":"\\"}¦{"token":"\/"}¦{"__proto__":{"token":"x"}}¦{"token":"x","__proto__":1}
{}¦[]¦null¦"token"¦7¦{¦ ¦{"token":7}¦{"token":null}¦{"token":["x"]}¦{"token":{"token":"x"}}
{"Token":"x"}¦{"token":"x"}}¦{"token":"x"}x¦{"token":"x",}¦{'token':'x'}¦{"token":x}¦{"token":"x"
{"token" "x"}¦{"token":"é"}¦{"token":"${'\u2028'}"}¦${'\ufeff'}{"token":"x"}¦${'\u00a0'}{"token":"x"}`

// In place of what a verify has; "|" parts the values of one that comes more than once.
const HEADERS = `
content-type: application/json; charset=utf-8¦content-type: application/json;charset=UTF-8
content-type: Application/JSON¦content-type: application/json;¦content-type:¦content-type: text/plain
content-type: application/json; charset=latin1¦content-type: application/json, application/json
content-type: application/x-www-form-urlencoded¦content-type: application/json\t
content-type: application/json|application/json¦Content-Type: text/plain¦authorization: bearer $S
authorization: BEARER $S¦authorization: Bearer  $S¦authorization: Bearer\t$S
authorization:   Bearer $S \t¦authorization: Bearer$S¦authorization: Basic $S
authorization: Bearer $S, Bearer $S¦authorization: Bearer $Sx¦authorization: Bearer¦authorization:
authorization: Bearer $O¦authorization: Bearer $S|Bearer $S¦Authorization: Bearer x¦x-tenant-id: $I
X-Tenant-ID: $I¦x-tenant-id: tnt_01ARZ3NDEKTSV4RRFFQ69G5FAV¦x-tenant-id:¦x-tenant-id: $I, $I
x-tenant-id: $I|$I¦x-tenant-id: $I|x¦x-tenant-id: |¦content-length: 007¦content-length: +$L
content-length: 0$L¦content-length: -1¦content-length: 0x10¦content-length: 1e2¦content-length:
content-length: $L,$L¦content-length: 0¦content-length: 20¦content-length: 99999999999999999999
content-length: $L|$L¦host:¦host: a b¦host: a|b¦Host: b¦expect: 100-continue¦expect: x
transfer-encoding: chunked¦transfer-encoding: identity¦content-encoding: gzip
content-encoding: identity¦idempotency-key: k1¦Idempotency-Key: k1|k2¦accept-version: 1
upgrade: h2c¦connection: upgrade¦connection: close¦connection: keep-alive¦connection: Close, x
accept: text/html¦accept-encoding: gzip¦origin: https://a.example¦x-request-id: mine
x-forwarded-for: 1.1.1.1¦x-http-method-override: DELETE¦if-none-match: *¦cookie: a=b¦te: trailers
x-a: é¦x-a: ${'x'.repeat(17_000)}¦x y: z¦x-a: a\r b¦: x`

const REQUEST_LINES = `
POST $P? HTTP/1.1¦POST $P?a=1 HTTP/1.1¦POST $P/ HTTP/1.1¦POST $P#x HTTP/1.1¦POST $P%20 HTTP/1.1
POST http://a$P HTTP/1.1¦POST /$P HTTP/1.1¦POST /v1/Sessions/verify HTTP/1.1¦POST * HTTP/1.1
POST /v1/sessions/%76erify HTTP/1.1¦POST $P HTTP/1.0¦POST $P HTTP/1.2¦POST $P HTTP/2.0
POST  $P HTTP/1.1¦post $P HTTP/1.1¦GET $P HTTP/1.1¦HEAD $P HTTP/1.1¦OPTIONS $P HTTP/1.1
PUT $P HTTP/1.1¦DELETE $P HTTP/1.1¦FOO $P HTTP/1.1`
