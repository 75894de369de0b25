import { expect, it } from 'vitest'
import { explainViolation } from './explain.ts'
import type { Fault, Operation } from './history.ts'

const operation = (
  kind: Operation['kind'],
  [startMs, endMs]: readonly [number, number],
  rest: Partial<Operation> = {},
): Operation => ({
  kind,
  node: 0,
  startMs,
  endMs,
  outcome: 'accepted',
  request: 'POST /v1/sessions',
  detail: '200',
  subjects: ['tenant:t', 'key:k'],
  ...rest,
})

it('tells a violation with its revoke, its round and the faults meanwhile, in order', () => {
  const revoke = operation('revoke', [20, 30], {
    node: 2,
    request: 'DELETE /v1/api-keys/key_1',
    subjects: ['key:k'],
  })
  const stale = operation('verify', [40, 45], { node: 3, subjects: ['key:k', 'session:s'] })
  const operations = [
    stale,
    operation('create', [1, 2], { detail: '201' }),
    operation('verify', [3, 4], { subjects: ['key:other', 'session:other'] }),
    operation('revoke', [60, 70], { subjects: ['key:k'] }),
    revoke,
  ]
  const fault: Fault = { kind: 'node paused', node: 3, startMs: 10, endMs: 35 }
  const old: Fault = { ...fault, startMs: -20, endMs: -10 }
  const history = { operations, faults: [old, fault], stored: new Set<string>() }
  expect(explainViolation(stale, history).join('\n')).toBe(
    `  40.0 to 45.0 ms: verify at node 3 accepted (POST /v1/sessions: 200)
    hangs on key:k, session:s
    although 20.0 to 30.0 ms: revoke at node 2 accepted (DELETE /v1/api-keys/key_1: 200)
    the round (session:s, key:k), and the faults meanwhile:
      1.0 to 2.0 ms: create at node 0 accepted (POST /v1/sessions: 201)
      10.0 to 35.0 ms: node paused at node 3
    > 20.0 to 30.0 ms: revoke at node 2 accepted (DELETE /v1/api-keys/key_1: 200)
    ! 40.0 to 45.0 ms: verify at node 3 accepted (POST /v1/sessions: 200)`,
  )
})

it('tells of a refusal that no revoke explains what its session went through', () => {
  const create = operation('create', [1, 2], { created: 's' })
  const wrong = operation('verify', [5, 6], { outcome: 'refused', subjects: ['session:s'] })
  const text = explainViolation(wrong, {
    operations: [create, wrong, operation('create', [3, 4], { created: 'other' })],
    faults: [],
    stored: new Set(),
  }).join('\n')
  expect(text).not.toContain('although')
  expect(text.match(/create/g)).toHaveLength(1)
})
