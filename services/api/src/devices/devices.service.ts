import type { GeoLocator } from './geo-location.ts'
import { normaliseIpAddress } from './ip-address.ts'
import { type DeviceType, describeUserAgent } from './user-agent.ts'

export { normaliseIpAddress }

export interface DeviceService {
  /** Never throws, whatever the user agent and the address. */
  describe(seen: {
    userAgent: string | null
    ipAddress: string | null
    device?: GivenDevice | null | undefined
  }): DeviceFacts
  normaliseIpAddress(text: string): string | null
}

export function createDeviceService({ geo }: { geo: Pick<GeoLocator, 'locate'> }): DeviceService {
  return {
    describe({ userAgent, ipAddress, device: given }) {
      const seen = describeUserAgent(userAgent)
      const device: Device = {
        id: given?.id ?? null,
        name: given?.name ?? seen.name,
        type: given?.type ?? seen.type,
        os: given?.os ?? seen.os,
        browser: given?.browser ?? seen.browser,
      }
      const { country, location } = geo.locate(ipAddress)
      return { country, location, deviceType: device.type, device }
    },
    normaliseIpAddress,
  }
}

interface Device {
  id: string | null
  name: string | null
  type: DeviceType
  os: string | null
  browser: string | null
}

/** What the caller knows better than the user agent does. Null and undefined say nothing. */
type GivenDevice = { [Field in keyof Device]?: Device[Field] | null | undefined }

interface DeviceFacts {
  /** ISO 3166-1 alpha-2. */
  country: string | null
  location: string | null
  /** The same as `device.type`. */
  deviceType: DeviceType
  device: Device
}
