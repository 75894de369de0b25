import { expect, it } from 'vitest'
import { createGate } from './gate.ts'

it('lets so many through at a time, and tenants in turn', async () => {
  const gate = createGate(1)
  const order: string[] = []
  const run = (tenantId: string) => gate.run(tenantId, async () => void order.push(tenantId))
  await Promise.all([...Array.from({ length: 4 }, () => run('a')), run('b'), run('c')])
  expect(order).toEqual(['a', 'a', 'b', 'c', 'a', 'a'])
})

it('goes on after a failure', async () => {
  const gate = createGate(1)
  const fails = gate.run('a', () => Promise.reject(new Error('no')))
  const works = gate.run('a', async () => 'done')
  await expect(fails).rejects.toThrow('no')
  expect(await works).toBe('done')
  expect(await gate.run('a', async () => 'again')).toBe('again')
})
