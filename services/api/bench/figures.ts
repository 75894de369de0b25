import type { Comparison, Spread } from './compare.ts'
import type { World } from './world.ts'

/** One line of the report. */
export interface Figure {
  part: string
  /** What it is measured against; the target where there is no other. */
  baseline: string
  /** The ratio of CPU times, or the value itself. */
  value: Spread
  unit: 'ratio' | 'ms' | 'MB' | 'KB' | 'bytes' | 'buffers' | 'round trips'
  /** Null: told, with no target. */
  most: number | null
  comparison?: Comparison
  /** Facts beside the figure, for people. */
  notes?: string[]
}

/** How long a run is. */
export interface Form {
  name: 'quick' | 'full'
  pairs: number
  /** How long one side of one pair takes, about; on a slow machine it sends fewer requests. */
  runSeconds: number
}

export const FORMS: Record<Form['name'], Form> = {
  quick: { name: 'quick', pairs: 5, runSeconds: 0.5 },
  full: { name: 'full', pairs: 9, runSeconds: 3 },
}

export interface Part {
  /** `npm run bench -- <name>` runs it. */
  name: string
  /** Whether it belongs to the quick form. */
  isQuick: boolean
  run(world: World, form: Form): Promise<Figure[]>
}

export const isReached = ({ value, most }: Figure): boolean => most === null || value.median <= most
