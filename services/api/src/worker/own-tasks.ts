import type { LastUsed } from '../api-keys/last-used.ts'
import type { Activities } from '../sessions/activity.ts'
import type { Task } from './worker.service.ts'

export interface OwnTasksDeps {
  lastUsed: LastUsed
  activities: Pick<Activities, 'flush'>
}

/** What a node collects in its memory is written by the node itself, wherever the rest is done. */
export const createOwnTasks = ({ lastUsed, activities }: OwnTasksDeps): Task[] => [
  {
    name: 'last_used',
    everyMs: 1_000,
    run: () => lastUsed.flush(),
    finish: () => lastUsed.flush({ all: true }),
  },
  {
    name: 'activity',
    everyMs: 5_000,
    run: () => activities.flush(),
    finish: () => activities.flush({ all: true }),
  },
]
