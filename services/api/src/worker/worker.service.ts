/** Work that no request waits for, done again and again. */
export interface Task {
  name: string
  everyMs: number
  run(isStopping: () => boolean): Promise<void>
  /** What is left to do when the process stops. */
  finish?(): Promise<void>
}

export interface Worker {
  /** @param sweeps whether the housekeeping of the whole service is among it. */
  start(options: { sweeps: boolean }): void
  /** Stops after the step under way, and writes what is still in memory. */
  stop(): Promise<void>
}

export interface WorkerDeps {
  /** What every node must do for itself. */
  ownTasks: Task[]
  /** What any number of workers may do for all: each thing is done once. */
  sweeps: Task[]
  onError(error: unknown, task: string): void
}

/** The first turn comes soon, so that a start catches up with what was left undone. */
const FIRST_TURN_MS = 1_000

export function createWorker({ ownTasks, sweeps, onError }: WorkerDeps): Worker {
  let isStopping = false
  const timers = new Map<string, NodeJS.Timeout>()
  const underWay = new Set<Promise<void>>()

  const guarded = async (name: string, work: Promise<void> | undefined): Promise<void> => {
    try {
      await work
    } catch (error) {
      onError(error, name)
    }
  }

  const schedule = (task: Task, inMs: number): void => {
    const timer = setTimeout(() => {
      const turn = guarded(
        task.name,
        task.run(() => isStopping),
      ).finally(() => {
        underWay.delete(turn)
        if (!isStopping) schedule(task, task.everyMs)
      })
      underWay.add(turn)
    }, inMs)
    // A worker keeps no process alive by itself.
    timer.unref()
    timers.set(task.name, timer)
  }

  return {
    start(options) {
      for (const task of [...ownTasks, ...(options.sweeps ? sweeps : [])])
        schedule(task, Math.min(task.everyMs, FIRST_TURN_MS))
    },
    async stop() {
      isStopping = true
      for (const timer of timers.values()) clearTimeout(timer)
      await Promise.all(underWay)
      for (const task of [...sweeps, ...ownTasks]) await guarded(task.name, task.finish?.())
    },
  }
}
