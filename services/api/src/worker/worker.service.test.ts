import { expect, it } from 'vitest'
import { createWorker, type Task } from './worker.service.ts'

/** A task that says when it has run, and how often. */
function createCountedTask(
  name: string,
  run = async () => {},
): Task & { runs: number; ran(): Promise<void> } {
  let ran = Promise.withResolvers<void>()
  const task = {
    name,
    everyMs: 5,
    runs: 0,
    async run() {
      task.runs++
      ran.resolve()
      ran = Promise.withResolvers<void>()
      await run()
    },
    ran: () => ran.promise,
  }
  return task
}

it('a node without the housekeeping still does what nobody else can do for it', async () => {
  const own = createCountedTask('own')
  const sweep = createCountedTask('sweep')
  const worker = createWorker({ ownTasks: [own], sweeps: [sweep], onError: () => {} })
  worker.start({ sweeps: false })
  for (let n = 0; n < 5; n++) await own.ran()
  await worker.stop()
  expect(sweep.runs).toBe(0)
})

it('a task that fails is told of and runs again, and holds up no other', async () => {
  const errors: unknown[] = []
  const failing = createCountedTask('failing', async () => {
    throw new Error('no')
  })
  const sweep = createCountedTask('sweep')
  const worker = createWorker({
    ownTasks: [],
    sweeps: [failing, sweep],
    onError: (error, task) => errors.push([task, error]),
  })
  worker.start({ sweeps: true })
  await Promise.all([failing.ran(), sweep.ran()])
  await Promise.all([failing.ran(), sweep.ran()])
  await worker.stop()
  expect(errors.length).toBeGreaterThanOrEqual(2)
  expect(errors[0]).toEqual(['failing', new Error('no')])
})

it('a stop waits for what is under way, then writes what is left, and starts nothing', async () => {
  const order: string[] = []
  const begun = Promise.withResolvers<void>()
  const allowed = Promise.withResolvers<void>()
  const worker = createWorker({
    ownTasks: [
      {
        name: 'own',
        everyMs: 5,
        async run(isStopping) {
          begun.resolve()
          await allowed.promise
          order.push(`over, stopping ${isStopping()}`)
        },
        async finish() {
          order.push('finished')
        },
      },
    ],
    sweeps: [],
    onError: () => {},
  })
  worker.start({ sweeps: true })
  await begun.promise
  const stopped = worker.stop()
  allowed.resolve()
  await stopped
  expect(order).toEqual(['over, stopping true', 'finished'])
})
