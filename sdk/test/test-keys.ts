import { createHash, randomBytes } from 'node:crypto'

export const TEST_TENANT_ID = 'tnt_01K3Z8Q5V7M2N4P6R8S0T1W3X5'

/** A secret key of the right form, that opens nothing. */
export function testSecretKey(mode: 'live' | 'test' = 'test'): string {
  const body = `sk_${mode}_${randomBytes(32).toString('base64url')}${TEST_TENANT_ID.slice(4)}`
  return body + createHash('sha256').update(body).digest('base64url').slice(0, 6)
}

export const TEST_SESSION = {
  object: 'session',
  id: 'ses_01K3Z8Q5V7M2N4P6R8S0T1W3X5',
  user_id: 'ada',
  tenant_id: TEST_TENANT_ID,
  status: 'active',
  metadata: { my_key: 'stays' },
}
