import { describe, expect, it } from 'vitest'
import { createDeviceService, normaliseIpAddress } from './devices.service.ts'

const CHROME_ON_MAC =
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36'

const geo = {
  locate: (ipAddress: string | null) =>
    ipAddress === '8.8.8.8'
      ? { country: 'US', location: 'Mountain View, US' }
      : { country: null, location: null },
}
const devices = createDeviceService({ geo })

describe('describe', () => {
  it('tells the device from the user agent and the place from the address', () => {
    expect(devices.describe({ userAgent: CHROME_ON_MAC, ipAddress: '8.8.8.8' })).toEqual({
      country: 'US',
      location: 'Mountain View, US',
      deviceType: 'desktop',
      device: {
        id: null,
        name: 'Chrome on macOS',
        type: 'desktop',
        os: 'macOS',
        browser: 'Chrome',
      },
    })
  })

  it('tells nothing from nothing', () => {
    expect(devices.describe({ userAgent: null, ipAddress: null })).toEqual({
      country: null,
      location: null,
      deviceType: 'other',
      device: { id: null, name: null, type: 'other', os: null, browser: null },
    })
  })

  it.each([
    ['id', 'dev_1'],
    ['name', 'Work laptop'],
    ['os', 'macOS 15'],
    ['browser', 'Acme Browser'],
  ])('lets the caller know better about %s, and leaves the rest', (field, value) => {
    const seen = devices.describe({ userAgent: CHROME_ON_MAC, ipAddress: null })
    const told = devices.describe({
      userAgent: CHROME_ON_MAC,
      ipAddress: null,
      device: { [field]: value },
    })
    expect(told).toEqual({ ...seen, device: { ...seen.device, [field]: value } })
  })

  it('keeps deviceType the same as a type that the caller gives', () => {
    const { deviceType, device } = devices.describe({
      userAgent: CHROME_ON_MAC,
      ipAddress: null,
      device: { type: 'tablet' },
    })
    expect([deviceType, device.type, device.os]).toEqual(['tablet', 'tablet', 'macOS'])
  })

  it('takes null and undefined for "not given"', () => {
    const seen = devices.describe({ userAgent: CHROME_ON_MAC, ipAddress: null })
    const nulls = { id: null, name: null, type: null, os: null, browser: null }
    for (const device of [null, undefined, {}, nulls, { name: undefined }]) {
      expect(devices.describe({ userAgent: CHROME_ON_MAC, ipAddress: null, device })).toEqual(seen)
    }
  })
})

it('normalises addresses as the exported function does', () => {
  expect(devices.normaliseIpAddress('::ffff:8.8.8.8')).toBe('8.8.8.8')
  expect(normaliseIpAddress('2001:DB8::1')).toBe('2001:db8::1')
  expect(normaliseIpAddress('fe80::1%eth0')).toBeNull()
})
