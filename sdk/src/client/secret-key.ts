import { sha256 } from './sha256.ts'

const SECRET_KEY = /^sk_(?:live|test)_[\w-]{43}[0-7][0-9A-HJKMNP-TV-Z]{25}[\w-]{6}$/
const OPERATOR_KEY = /^ok_[\w-]{32,253}$/
const CHECKSUM_LENGTH = 6

/**
 * A key that was pasted wrongly is known at once, and not by the first request of a new deployment.
 *
 * @throws TypeError that says what is wrong, and never holds the key.
 */
export function checkSecretKey(secretKey: unknown): string {
  const wrong = typeof secretKey === 'string' ? faultOf(secretKey) : 'is missing'
  if (wrong !== null) throw new TypeError(`secretKey ${wrong}`)
  return secretKey as string
}

function faultOf(secretKey: string): string | null {
  if (secretKey === '') return 'is empty: is the environment variable set?'
  if (/^bearer\b/i.test(secretKey)) return 'is the key alone, without "Bearer"'
  if (secretKey !== secretKey.trim()) return 'has a space or a line end around it'
  if (/^["'].*["']$/.test(secretKey)) return 'has quotation marks around it'
  if (/^rt_|^eyJ/.test(secretKey)) return 'is a token of a user, not a key'
  if (!/^(?:sk|ok)_/.test(secretKey))
    return 'begins with sk_live_, sk_test_ or, for the operator, ok_'
  if (OPERATOR_KEY.test(secretKey)) return null
  if (!SECRET_KEY.test(secretKey)) return 'is cut off or has other characters in it'
  return hasChecksum(secretKey) ? null : 'has a wrong checksum: a character is wrong or missing'
}

function hasChecksum(secretKey: string): boolean {
  const digest = sha256(secretKey.slice(0, -CHECKSUM_LENGTH))
  const base64 = btoa(String.fromCharCode(...digest.subarray(0, 6)))
  const checksum = base64.replaceAll('+', '-').replaceAll('/', '_').slice(0, CHECKSUM_LENGTH)
  return secretKey.endsWith(checksum)
}
