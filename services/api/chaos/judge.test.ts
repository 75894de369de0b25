import { describe, expect, it } from 'vitest'
import type { Fault, History, Operation } from './history.ts'
import { judgeHistory } from './judge.ts'

const operation = (
  kind: Operation['kind'],
  startMs: number,
  endMs: number,
  rest: Partial<Operation> = {},
): Operation => ({
  kind,
  node: 0,
  startMs,
  endMs,
  outcome: 'accepted',
  request: '',
  detail: '',
  subjects: ['session:a', 'kid:k', 'tenant:t'],
  ...rest,
})
const create = (id: string) =>
  operation('create', 0, 1, { created: id, subjects: ['key:first', 'tenant:t'] })
const revokeOf = (subject: string, rest: Partial<Operation> = {}) =>
  operation('revoke', 10, 20, { subjects: [subject], ...rest })
const verify = (startMs: number, outcome: Operation['outcome'] = 'accepted') =>
  operation('verify', startMs, startMs + 5, { outcome })
const judge = (operations: Operation[], rest: Partial<History> = {}) =>
  judgeHistory({ operations, faults: [], stored: new Set(['a', 'b']), ...rest })

describe('judgeHistory', () => {
  it('finds nothing in a history as it should be', () => {
    const history = [
      create('a'),
      verify(2),
      revokeOf('session:a'),
      verify(21, 'refused'),
      verify(30, 'failed'),
    ]
    expect(judge(history)).toMatchObject({ isSound: true, staleAccepts: [], wrongRefusals: [] })
  })

  it.each(['session:a', 'kid:k', 'tenant:t'])(
    'finds an accept that began after %s was revoked',
    subject => {
      const stale = verify(20.01)
      const { isSound, staleAccepts } = judge([stale, create('a'), revokeOf(subject)])
      expect([isSound, staleAccepts]).toEqual([false, [stale]])
    },
  )

  it('finds a refresh and a create that were accepted too late', () => {
    const late = [
      operation('refresh', 25, 30),
      operation('create', 25, 30, { created: 'b', subjects: ['key:first', 'tenant:t'] }),
    ]
    expect(judge([revokeOf('tenant:t'), ...late]).staleAccepts).toEqual(late)
  })

  it('counts from the first acknowledgement, whatever came after', () => {
    const again = revokeOf('session:a', { startMs: 40, endMs: 50 })
    expect(judge([again, revokeOf('session:a'), verify(25)]).staleAccepts).toHaveLength(1)
  })

  it('lets a verify be accepted that began before the answer, or after a revoke that failed', () => {
    expect(judge([revokeOf('session:a'), verify(19)]).isSound).toBe(true)
    expect(judge([revokeOf('session:a'), verify(20)]).isSound).toBe(true)
    expect(judge([revokeOf('session:a', { outcome: 'failed' }), verify(30)]).isSound).toBe(true)
    expect(judge([revokeOf('session:other'), verify(30)]).isSound).toBe(true)
  })

  it('finds a refusal of what nobody revoked, even in a fault', () => {
    const refused = verify(30, 'refused')
    const fault: Fault = { kind: 'node killed', node: 1, startMs: 0, endMs: 100 }
    const { isSound, wrongRefusals } = judge([revokeOf('session:b'), refused], { faults: [fault] })
    expect([isSound, wrongRefusals]).toEqual([false, [refused]])
    expect(judge([revokeOf('session:a'), verify(2, 'refused')]).isSound).toBe(false)
  })

  it('lets a refusal be that a revoke under way, or one without an answer, explains', () => {
    expect(judge([revokeOf('session:a'), verify(12, 'refused')]).isSound).toBe(true)
    const failed = revokeOf('session:a', { outcome: 'failed' })
    expect(judge([failed, verify(60, 'refused')]).isSound).toBe(true)
  })

  it('finds a revoke that was refused', () => {
    expect(judge([revokeOf('session:a', { outcome: 'refused' })]).isSound).toBe(false)
  })

  it('finds an acknowledged create that is not in the database', () => {
    expect(judge([create('a'), create('lost')])).toMatchObject({
      isSound: false,
      lostCreates: ['lost'],
    })
    const failed = { ...create('lost'), outcome: 'failed' as const }
    expect(judge([create('a'), failed]).isSound).toBe(true)
  })

  it('does not ask for the rows of a tenant that was deleted', () => {
    expect(judge([create('gone'), revokeOf('tenant:t')]).isSound).toBe(true)
  })

  it('tells failures in the window of a fault from those outside', () => {
    const fault: Fault = { kind: 'postgres paused', node: null, startMs: 100, endMs: 3_100 }
    const [before, during, after, late] = [50, 98, 4_050, 5_200].map(at => verify(at, 'failed'))
    const operations = [before, during, after, late].filter(item => item !== undefined)
    const redis: Fault = { ...fault, kind: 'redis killed', startMs: 0, endMs: 6_000 }
    const { failures, callsOutside, isSound } = judge(operations, { faults: [fault, redis] })
    expect(callsOutside).toBe(2)
    expect(failures).toEqual({ inFaults: 2, outside: [before, late] })
    expect(isSound).toBe(true)
  })
})
