import { isIPv4, isIPv6 } from 'node:net'

/**
 * One spelling for each address, so that equal addresses are equal strings: IPv4 as it is, IPv6 in
 * the form of RFC 5952, IPv4-mapped IPv6 (`::ffff:8.8.8.8`) as IPv4. Null for anything that is not
 * exactly one address: blanks, ports, brackets, zone ids (they mean something on one host only).
 */
export function normaliseIpAddress(text: string): string | null {
  const bytes = parseIpAddress(text)
  return bytes === null ? null : formatIpAddress(bytes)
}

/** 4 bytes for IPv4 and IPv4-mapped IPv6, 16 for other IPv6, null for anything else. */
export function parseIpAddress(text: string): Uint8Array | null {
  if (text.length > MAX_ADDRESS_LENGTH) return null
  if (isIPv4(text)) return Uint8Array.from(text.split('.'), Number)
  if (!isIPv6(text) || text.includes('%')) return null
  const bytes = parseIpv6(text)
  return hasPrefix(bytes, MAPPED_PREFIX) ? bytes.slice(MAPPED_PREFIX.length) : bytes
}

/**
 * Whether the address can be that of somebody on the internet: not private, loopback, link-local,
 * multicast, documentation or otherwise set apart in IANA's special-purpose registries. 6to4 and
 * Teredo count as set apart: such an address tells of a relay, not of a place.
 */
export function isPublicIpAddress(bytes: Uint8Array): boolean {
  if (bytes.length === 4) return !SPECIAL_IPV4.some(block => inBlock(bytes, block))
  return inBlock(bytes, GLOBAL_UNICAST_IPV6) && !SPECIAL_IPV6.some(block => inBlock(bytes, block))
}

interface AddressBlock {
  prefix: Uint8Array
  bits: number
}

/** The longest spelling: an IPv6 address whose last two groups are written as IPv4. */
const MAX_ADDRESS_LENGTH = 45

const MAPPED_PREFIX = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff)

const SPECIAL_IPV4 = [
  block('0.0.0.0', 8),
  block('10.0.0.0', 8),
  block('100.64.0.0', 10),
  block('127.0.0.0', 8),
  block('169.254.0.0', 16),
  block('172.16.0.0', 12),
  block('192.0.0.0', 24),
  block('192.0.2.0', 24),
  block('192.88.99.0', 24),
  block('192.168.0.0', 16),
  block('198.18.0.0', 15),
  block('198.51.100.0', 24),
  block('203.0.113.0', 24),
  block('224.0.0.0', 4),
  block('240.0.0.0', 4),
]

const GLOBAL_UNICAST_IPV6 = block('2000::', 3)

const SPECIAL_IPV6 = [
  block('2001::', 23),
  block('2001:db8::', 32),
  block('2002::', 16),
  block('3fff::', 20),
]

function block(address: string, bits: number): AddressBlock {
  return { prefix: parseIpAddress(address) ?? new Uint8Array(), bits }
}

function inBlock(bytes: Uint8Array, { prefix, bits }: AddressBlock): boolean {
  for (let index = 0, left = bits; left > 0; index++, left -= 8) {
    const mask = left >= 8 ? 0xff : 0xff & (0xff << (8 - left))
    if (((bytes[index] ?? 0) & mask) !== ((prefix[index] ?? 0) & mask)) return false
  }
  return true
}

function hasPrefix(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return prefix.every((byte, index) => bytes[index] === byte)
}

/** `text` must be a valid IPv6 address without a zone id. */
function parseIpv6(text: string): Uint8Array {
  const [head = '', tail] = text.split('::')
  const front = groupBytes(head)
  const back = groupBytes(tail ?? '')
  const bytes = new Uint8Array(16)
  bytes.set(front, 0)
  bytes.set(back, 16 - back.length)
  return bytes
}

function groupBytes(groups: string): number[] {
  if (groups === '') return []
  return groups.split(':').flatMap(group => {
    if (group.includes('.')) return group.split('.').map(Number)
    const word = Number.parseInt(group, 16)
    return [word >> 8, word & 0xff]
  })
}

function formatIpAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  const words: string[] = []
  for (let index = 0; index < 16; index += 2) {
    words.push((((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0)).toString(16))
  }
  const { start, length } = longestZeroRun(words)
  if (length < 2) return words.join(':')
  return `${words.slice(0, start).join(':')}::${words.slice(start + length).join(':')}`
}

/** The first of the longest runs, as RFC 5952 section 4.2.3 has it. */
function longestZeroRun(words: string[]): { start: number; length: number } {
  let longest = { start: 0, length: 0 }
  let run = { start: 0, length: 0 }
  words.forEach((word, index) => {
    run = word === '0' ? { start: run.length ? run.start : index, length: run.length + 1 } : NO_RUN
    if (run.length > longest.length) longest = run
  })
  return longest
}

const NO_RUN = { start: 0, length: 0 }
