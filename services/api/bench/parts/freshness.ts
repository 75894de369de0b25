import { hasRedisServer } from '../../test/redis-fixture.ts'
import type { Figure, Form, Part } from '../figures.ts'
import { measureFreshnessPrice } from '../freshness-price.ts'

const CALLERS = 64
const SECONDS: Record<Form['name'], number> = { quick: 2, full: 5 }

/** How often a node asks Postgres what has changed, while many verify at once. */
export const freshnessPart: Part = {
  name: 'freshness',
  isQuick: false,
  async run(_world, form) {
    if (!hasRedisServer) throw new Error('this part needs redis-server on the PATH')
    const seconds = SECONDS[form.name]
    return [await priceOf(seconds, false), await priceOf(seconds, true)]
  },
}

async function priceOf(seconds: number, withRedis: boolean): Promise<Figure> {
  const price = await measureFreshnessPrice({ callers: CALLERS, seconds, withRedis })
  const questions = price.questionsPerThousand
  return {
    part: `questions to Postgres for 1,000 verifies, ${withRedis ? 'with' : 'without'} Redis`,
    baseline: 'the wire',
    value: { median: questions, min: questions, max: questions },
    unit: 'round trips',
    most: null,
    notes: [
      `${CALLERS} callers at once; and ${price.othersPerThousand.toFixed(1)} other round trips`,
    ],
  }
}
