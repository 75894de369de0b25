import { isIP, SocketAddress } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isPublicIpAddress, normaliseIpAddress, parseIpAddress } from './ip-address.ts'

describe('normaliseIpAddress', () => {
  it.each([
    ['8.8.8.8', '8.8.8.8'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['2001:DB8::A', '2001:db8::a'],
    ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['64:ff9b::8.8.8.8', '64:ff9b::808:808'],
    ['::8.8.8.8', '::808:808'],
  ])('gives %s its one spelling %s', (given, canonical) => {
    expect(normaliseIpAddress(given)).toBe(canonical)
  })

  it.each(['::ffff:8.8.8.8', '::FFFF:8.8.8.8', '::ffff:808:808', '0:0:0:0:0:ffff:0808:0808'])(
    'takes IPv4-mapped %s for the IPv4 address',
    mapped => {
      expect(normaliseIpAddress(mapped)).toBe('8.8.8.8')
    },
  )

  it.each([
    '',
    ' ',
    ' 8.8.8.8',
    '8.8.8.8 ',
    '8.8.8.8\n',
    '8.8.8',
    '8.8.8.8.8',
    '08.8.8.8',
    '0x8.8.8.8',
    '256.1.1.1',
    '134744072',
    '8.8.8.8:443',
    '8.8.8.8/32',
    '8.8.8.8, 1.1.1.1',
    '[::1]',
    '[::1]:443',
    '::1%lo',
    'fe80::1%25eth0',
    '::ffff:8.8.8.8%eth0',
    ':::',
    '1::2::3',
    '12345::',
    '1:2:3:4:5:6:7:8:9',
    '::ffff:256.1.1.1',
    '8.8.8.8\u0000',
    '８.８.８.８',
    'localhost',
    'unknown',
    '1'.repeat(10_000),
    ':'.repeat(10_000),
  ])('refuses %j', garbage => {
    expect(normaliseIpAddress(garbage)).toBeNull()
  })

  it('takes what node:net takes and nothing else', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string({ maxLength: 50 })), text => {
        const expected = isIP(text) !== 0 && !text.includes('%')
        expect(normaliseIpAddress(text) !== null).toBe(expected)
      }),
    )
  })

  it('changes neither the address nor its own spelling', () => {
    fc.assert(
      fc.property(fc.ipV6(), text => {
        const canonical = normaliseIpAddress(text) ?? ''
        expect(normaliseIpAddress(canonical)).toBe(canonical)
        expect(asNodeSpells(canonical)).toBe(asNodeSpells(text))
      }),
    )
  })
})

describe('isPublicIpAddress', () => {
  it.each([
    '0.1.2.3',
    '10.0.0.1',
    '100.64.0.1',
    '100.127.255.255',
    '127.0.0.1',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.8',
    '192.0.2.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.19.255.255',
    '198.51.100.1',
    '203.0.113.42',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:10.0.0.1',
    '64:ff9b::808:808',
    '100::1',
    '2001::1',
    '2001:db8::1',
    '2002:808:808::1',
    '3fff::1',
    'fc00::1',
    'fd12:3456::1',
    'fe80::1',
    'ff02::1',
  ])('counts %s as set apart', address => {
    expect(isPublic(address)).toBe(false)
  })

  it.each([
    '1.1.1.1',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '::ffff:8.8.8.8',
    '2001:200::1',
    '2001:4860:4860::8888',
    '2a00:1450:4001:82a::200e',
  ])('counts %s as public', address => {
    expect(isPublic(address)).toBe(true)
  })
})

function isPublic(address: string): boolean {
  const bytes = parseIpAddress(address)
  if (bytes === null) throw new Error(`${address} is not an address`)
  return isPublicIpAddress(bytes)
}

/** Node's own spelling, with IPv4-mapped addresses brought back to IPv6. */
function asNodeSpells(address: string): string {
  const ipv6 = isIP(address) === 4 ? `::ffff:${address}` : address
  return new SocketAddress({ address: ipv6, family: 'ipv6' }).address
}
