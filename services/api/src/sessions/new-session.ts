import type { DeviceService } from '../devices/devices.service.ts'
import { normaliseIpAddress } from '../devices/ip-address.ts'
import { newId } from '../shared/ids.ts'
import { Problem } from '../shared/problem.ts'
import { endOf, lifetimesOf, type TenantSettings } from '../tenants/tenants.schema.ts'
import { type CreateSession, MAX_METADATA_BYTES } from './sessions.schema.ts'
import type { NewSession } from './sessions.store.ts'

/**
 * The facts of a session that begins now.
 *
 * @throws Problem request_invalid for an address that is none, or metadata over 4 KB.
 */
export function newSession(
  body: CreateSession,
  { tenantId, settings }: { tenantId: string; settings: TenantSettings },
  nowMs: number,
  devices: DeviceService,
): Omit<NewSession, 'refreshFamilyHash'> {
  const { org_id = null, app_id = null, role = null, amr = [], metadata = {} } = body
  refuseLargeMetadata(metadata)
  const userAgent = body.user_agent ?? null
  const ipAddress = normalisedAddress(body.ip_address ?? null)
  const { device, deviceType, country, location } = devices.describe({
    userAgent,
    ipAddress,
    device: body.device ?? null,
  })
  const lifetimes = lifetimesOf(settings, app_id)
  const now = new Date(nowMs)
  const expiresAtMs = nowMs + (body.expires_in ?? lifetimes.sessionTtlSeconds) * 1000
  return {
    tenantId,
    id: newId('ses'),
    userId: body.user_id,
    orgId: org_id,
    appId: app_id,
    role,
    amr,
    authTime: now,
    userAgent,
    ipAddress,
    country,
    location,
    deviceId: device.id,
    deviceName: device.name,
    deviceType,
    os: device.os,
    browser: device.browser,
    metadata,
    createdAt: now,
    lastActiveAt: now,
    expiresAt: new Date(expiresAtMs),
    isExpiryGiven: body.expires_in !== undefined,
    endsAt: new Date(endOf(nowMs, expiresAtMs, lifetimes.idleTtlSeconds)),
    // A token never outlives its session.
    tokenExpiresAt: new Date(Math.min(nowMs + lifetimes.accessTokenTtlSeconds * 1000, expiresAtMs)),
  }
}

function normalisedAddress(given: string | null): string | null {
  if (given === null) return null
  const address = normaliseIpAddress(given)
  if (address === null)
    throw new Problem('request_invalid', {
      errors: [{ field: 'ip_address', message: 'must be an IPv4 or IPv6 address' }],
    })
  return address
}

export function refuseLargeMetadata(metadata: Record<string, string>): void {
  if (Buffer.byteLength(JSON.stringify(metadata)) <= MAX_METADATA_BYTES) return
  const message = `must take at most ${MAX_METADATA_BYTES} bytes as JSON`
  throw new Problem('request_invalid', { errors: [{ field: 'metadata', message }] })
}
