import { describe, expect, test } from 'vitest'
import { InvalidResponseError } from '../errors.ts'
import type { Verification } from '../generated/model.ts'
import { readVerification } from './token-verification.ts'

const GOOD = {
  valid: true,
  sessionId: 'ses_1',
  userId: 'ada',
  tenantId: 'tnt_1',
  orgId: null,
  appId: 'web',
  role: 'admin',
  amr: ['pwd', 'otp'],
  mfaVerified: true,
  authTime: '2026-11-21T09:30:00.000Z',
  issuedAt: '2026-11-21T09:30:00.000Z',
  expiresAt: '2026-11-21T09:45:00.000Z',
} satisfies Verification

test('a good token comes with its session, and with nothing else', () => {
  const { valid, ...session } = GOOD
  expect(readVerification(GOOD)).toEqual({ valid, session })
  expect(readVerification({ ...GOOD, futureField: 1 } as Verification)).toEqual({ valid, session })
})

test('a bad token comes with the reason, and with no session', () => {
  const refused = { ...GOOD, valid: false, reason: 'session_revoked' } as const
  expect(readVerification(refused)).toEqual({ valid: false, reason: 'session_revoked' })
})

describe('what does not say everything lets nobody in:', () => {
  test.each([
    ['sessionId'],
    ['userId'],
    ['tenantId'],
    ['authTime'],
    ['issuedAt'],
    ['expiresAt'],
    ['valid'],
  ])('no %s', field => {
    expect(() => readVerification({ ...GOOD, [field]: undefined })).toThrow(InvalidResponseError)
  })

  test.each([['true'], [1], [{}], [null]])('valid is %j', valid => {
    const answer = { ...GOOD, valid } as unknown as Verification
    expect(() => readVerification(answer)).toThrow(InvalidResponseError)
  })

  test('refused, and no reason', () => {
    expect(() => readVerification({ ...GOOD, valid: false })).toThrow(InvalidResponseError)
  })
})

test('a second factor that is not mentioned was not there', () => {
  const { mfaVerified: _mfaVerified, amr: _amr, ...answer } = GOOD
  expect(readVerification(answer)).toMatchObject({ session: { mfaVerified: false, amr: [] } })
})
