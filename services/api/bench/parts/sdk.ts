import { measureVerifySpeed } from '../../../../sdk/bench/verifier.bench.ts'
import type { Part } from '../figures.ts'

/** The SDK's local verify beside Node's own check of the same signatures. */
export const sdkPart: Part = {
  name: 'sdk',
  isQuick: true,
  async run() {
    const { bareMicros, firstSight, seenBefore } = await measureVerifySpeed()
    const baseline = 'bare crypto.verify of the same bytes'
    const note = (micros: number) => [
      `CPU time ${micros.toFixed(1)} µs beside ${bareMicros.toFixed(1)} µs`,
    ]
    return [
      {
        part: 'SDK verify, first sight',
        baseline,
        value: firstSight.ratio,
        unit: 'ratio',
        most: 1.15,
        notes: note(firstSight.micros),
      },
      {
        part: 'SDK verify, token seen before',
        baseline,
        value: seenBefore.ratio,
        unit: 'ratio',
        most: 0.1,
        notes: note(seenBefore.micros),
      },
    ]
  },
}
