import { it } from 'vitest'
import { createTestApp } from './test-app.ts'
it('x', async () => {
  const s = await createTestApp()
  const t = await s.tenant()
  console.log((await t.call('GET', '/v1/sessions?__proto__=x')).body)
  console.log((await t.call('DELETE', '/v1/sessions?__proto__=x&dry_run=true')).body)
  console.log((await t.call('DELETE', '/v1/sessions?__proto__=x&__proto__=y')).body)
  console.log((await t.call('GET', '/v1/sessions?constructor=x')).body)
  console.log(JSON.stringify((await t.call('POST', '/v1/sessions', {body:{user_id:'u', device:{model:'x'}}})).body))
  console.log(JSON.stringify((await t.call('POST', '/v1/sessions', {body:{user_id:'u', metadata:{'a\nb':'x'}}})).body))
  await s.close()
})
