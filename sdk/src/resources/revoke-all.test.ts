import { describe, expect, test } from 'vitest'
import { against } from '../../test/test-client.ts'
import { sendJson } from '../../test/test-server.ts'
import type { RevokeAllParams } from './revoke-all.ts'

const revokesTwo = (response: Parameters<typeof sendJson>[0]) =>
  sendJson(response, 200, { revoked: 2 })

describe('sends exactly the filters that it was given', () => {
  const cases: [RevokeAllParams, string][] = [
    [{ userId: 'ada' }, '?user_id=ada'],
    [{ orgId: 'org_1', appId: 'web' }, '?org_id=org_1&app_id=web'],
    [{ userId: 'ada', except: 'ses_1', dryRun: true }, '?user_id=ada&except=ses_1&dry_run=true'],
    [{ all: true }, ''],
    [{ all: true, except: 'ses_1', reason: 'breach' }, '?except=ses_1&reason=breach'],
  ]
  test.each(cases)('%o', async (params, query) => {
    const { sessions, server } = await against(revokesTwo)
    expect(await sessions.revokeAll(params)).toEqual({ revoked: 2 })
    expect(server.requests).toMatchObject([{ method: 'DELETE', url: `/v1/sessions${query}` }])
  })
})

describe('a lost filter never means everybody', () => {
  test.each([
    [{}],
    [undefined],
    [{ userId: undefined }],
    [{ userId: null }],
    [{ userId: '' }],
    [{ userId: 'ada', orgId: undefined }],
    [{ reason: 'breach' }],
    [{ except: 'ses_1' }],
    [{ dryRun: true }],
    [{ userId: 'ada', except: undefined }],
    [{ userId: 'ada', dryRun: undefined }],
    [{ all: false }],
    [{ all: 'yes' }],
    [{ all: true, userId: 'ada' }],
    [{ all: true, userId: undefined }],
    [{ userID: 'ada' }],
  ])('%o is refused before anything is sent', async params => {
    const { sessions, server } = await against(revokesTwo)
    await expect(sessions.revokeAll(params as RevokeAllParams)).rejects.toThrow(TypeError)
    expect(server.requests).toEqual([])
  })
})
