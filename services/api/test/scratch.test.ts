import { it } from 'vitest'
import { createTestApp } from './test-app.ts'
it('x', async () => {
  const s = await createTestApp()
  const t = await s.tenant({settings:{rate_limit_per_second:1000000}})
  const counts: number[] = []
  for (let i = 0; i < 30; i++) {
    const k = (await t.call('POST', '/v1/api-keys', { body: { name: 'r', scopes: ['sessions:read'] } })).body
    const as = await Promise.all(Array.from({ length: 10 }, () => t.call('POST', `/v1/api-keys/${k.id}/rotate`, { body: {} })))
    const good = (await s.node.database.pool.query('select count(*)::int as n from api_key_secrets where api_key_id=$1 and expires_at is null', [k.id])).rows[0].n
    counts.push(good)
  }
  console.log(counts.join(' '))
  await s.close()
})
