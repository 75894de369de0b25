import { expect, it } from 'vitest'
import { createSessionCalls } from './session-calls.ts'

const REFUSED = JSON.stringify({ valid: false, reason: 'session_revoked' })

/** A service that answers when the test wants it to. */
function createSlowService() {
  const answers: ((text: string) => void)[] = []
  const calls = createSessionCalls({
    baseUrl: 'https://auth.example.com',
    secretKey: 'sk_test_x',
    onTenantRefused: () => {},
    exchange: () =>
      new Promise(resolve => {
        answers.push(text => resolve({ status: 200, headers: new Headers(), text }))
      }),
  })
  return { calls, answers }
}

it('asks once for all who ask about a token at the same moment', async () => {
  const { calls, answers } = createSlowService()
  const all = Promise.all(Array.from({ length: 50 }, () => calls.verify('a.b.c')))
  expect(answers).toHaveLength(1)
  answers[0]?.(REFUSED)
  expect(new Set((await all).map(answer => answer.valid))).toEqual(new Set([false]))
})

it('never joins a question that was sent before: a session may have been revoked since', async () => {
  const { calls, answers } = createSlowService()
  const early = calls.verify('a.b.c')
  await Promise.resolve()
  const late = [calls.verify('a.b.c'), calls.verify('a.b.c')]
  expect(answers).toHaveLength(1)
  answers[0]?.('{"valid":false,"reason":"expired"}')
  expect(await early).toMatchObject({ reason: 'expired' })
  await expect.poll(() => answers.length).toBe(2)
  answers[1]?.(REFUSED)
  for (const answer of await Promise.all(late)) expect(answer).toMatchObject(JSON.parse(REFUSED))
  expect(answers).toHaveLength(2)
})

it('asks again for those who waited behind a question that failed', async () => {
  const { calls, answers } = createSlowService()
  const early = calls.verify('a.b.c')
  await Promise.resolve()
  const late = calls.verify('a.b.c')
  answers[0]?.('no answer at all')
  await expect(early).rejects.toMatchObject({ code: 'verify_unavailable' })
  await expect.poll(() => answers.length).toBe(2)
  answers[1]?.(REFUSED)
  expect(await late).toMatchObject({ valid: false })
})
