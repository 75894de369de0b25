import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { insertRevocations } from '../../test/change-log.ts'
import { createTestClock } from '../../test/test-clock.ts'
import { createTestCluster, type TestCluster } from '../../test/test-node.ts'
import { createMasterKey } from '../shared/crypto.ts'
import type { FreshnessStore } from './freshness.store.ts'
import type { LogPage } from './log-pages.ts'
import { createTenantCopies } from './tenant-copies.ts'

const TENANT = 'tnt_a'
const EMPTY: LogPage = { groups: [], hasOthers: false, next: null, upToSeq: 1 }

/** A store whose pages of the log come when the test gives them. */
function createManualCopies() {
  const pages: PromiseWithResolvers<LogPage>[] = []
  let heads = 0
  const store: FreshnessStore = {
    findHead: async () => ++heads,
    findTenant: async tenantId => ({
      tenantId,
      name: 'Test',
      status: 'active',
      settings: {},
      signingKeys: [],
    }),
    readLogPage: () => {
      const page = Promise.withResolvers<LogPage>()
      pages.push(page)
      return page.promise
    },
    listBulks: async () => [],
    listChanges: async () => [],
  }
  const clock = createTestClock()
  const copies = createTenantCopies({ store, clock, masterKey: createMasterKey(Buffer.alloc(32)) })
  return { copies, pages, clock }
}

const tick = () => new Promise(resolve => setImmediate(resolve))

const claims = (sessionId: string) => ({
  sessionId,
  userId: 'u',
  orgId: null,
  appId: null,
  generation: 0,
})

const group = (sessionId: string) => ({
  forgetAfter: new Date(Date.now() + 900_000),
  sessionIds: [sessionId],
})

describe('loading a copy', () => {
  it('does not wait for a long log: meanwhile every session may be concerned', async () => {
    const { copies, pages } = createManualCopies()
    const copy = await copies.load(TENANT)
    expect(copy?.revocations.mayConcern(claims('ses_living'))).toBe(true)
    pages[0]?.resolve({ ...EMPTY, groups: [group('ses_1')], next: 1 })
    await tick()
    expect(copy?.revocations.isWhole).toBe(false)
    pages[1]?.resolve({ ...EMPTY, groups: [group('ses_2')] })
    await tick()
    expect(copy?.revocations.isWhole).toBe(true)
    const may = (id: string) => copy?.revocations.mayConcern(claims(id))
    expect([may('ses_1'), may('ses_2'), may('ses_living')]).toEqual([true, true, false])
  })

  it('that fails leaves no copy behind, early or late', async () => {
    const { copies, pages } = createManualCopies()
    const early = copies.load(TENANT)
    await tick()
    pages[0]?.reject(new Error('no answer'))
    await expect(early).rejects.toThrow('no answer')
    expect(copies.peek(TENANT)).toBeNull()
    const late = await copies.load(TENANT)
    expect(copies.peek(TENANT)).toBe(late)
    pages[1]?.reject(new Error('no answer'))
    await tick()
    expect(copies.peek(TENANT)).toBeNull()
    expect(late?.revocations.isWhole).toBe(false)
  })

  it('begins anew where all was dropped meanwhile, since the server may be another one', async () => {
    const { copies, pages } = createManualCopies()
    const loading = copies.load(TENANT)
    copies.dropAll()
    await tick()
    await tick()
    pages[0]?.resolve(EMPTY)
    expect(await loading).toMatchObject({ seq: 2, revocations: { isWhole: true } })
    copies.dropAll()
    expect(copies.peek(TENANT)).toBeNull()
  })

  it('stops reading for a copy that was dropped', async () => {
    const { copies, pages } = createManualCopies()
    const copy = await copies.load(TENANT)
    copies.dropAll()
    pages[0]?.resolve({ ...EMPTY, next: 1 })
    await tick()
    expect(pages).toHaveLength(1)
    expect(copy?.revocations.isWhole).toBe(false)
  })
})

describe('on a real database', () => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await createTestCluster()
  })
  afterAll(() => cluster.close())

  it('a node that loads a long log refuses what is in it from its first answer on', async () => {
    const node = cluster.node()
    const { tenantId } = await node.tenant()
    const by = await node.actor(tenantId)
    const { sessions } = node.services
    const made = await Promise.all(
      ['ada', 'bob', 'eve'].map(user_id => sessions.create(by, { user_id })),
    )
    const [ended, inBulk, living] = made
    if (ended === undefined || inBulk === undefined || living === undefined)
      throw new Error('no sessions')
    await sessions.revoke(by, ended.session.id)
    await sessions.revokeAll(by, { user_id: 'bob' })
    const ids = await insertRevocations(node.database.pool, tenantId, 60_000)
    const late = cluster.node()
    const verdicts = async () =>
      Promise.all(made.map(({ access_token }) => late.verify(tenantId, access_token)))
    const expected = [
      { valid: false, reason: 'session_revoked' },
      { valid: false, reason: 'session_revoked' },
      { valid: true, user_id: 'eve' },
    ]
    expect(await verdicts()).toMatchObject(expected)
    const copy = await late.services.freshness.current(tenantId)
    await expect.poll(() => copy?.revocations.isWhole, { timeout: 20_000 }).toBe(true)
    expect(await verdicts()).toMatchObject(expected)
    expect(copy?.revocations.mayConcern(claims(living.session.id))).toBe(false)
    expect(ids.every(id => copy?.revocations.mayConcern(claims(id)))).toBe(true)
  })
})
