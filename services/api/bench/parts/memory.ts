import { measureMillionRevocations } from '../../../../sdk/bench/verifier.bench.ts'
import { createKnownRevocations } from '../../src/freshness/known-revocations.ts'
import { newId } from '../../src/shared/ids.ts'
import type { Figure, Part } from '../figures.ts'

const REVOCATIONS = 1_000_000
/** Of an access token, where the tenant sets no other. */
const TOKEN_LIFE_MS = 900_000
const MOST_MB = 32

/** What a million revocations that still matter take, in a node and in a verifier of the SDK. */
export const memoryPart: Part = {
  name: 'memory',
  isQuick: true,
  async run() {
    const { bytes } = await measureMillionRevocations()
    return [toFigure('a node', bytesOfNode()), toFigure('a verifier of the SDK', bytes)]
  },
}

/** Revoked at any time of the life of their tokens, as in a day's work. */
function bytesOfNode(): number {
  const nowMs = Date.now()
  const known = createKnownRevocations()
  for (let n = 0; n < REVOCATIONS; n++)
    known.noteSession(newId('ses'), nowMs + Math.random() * TOKEN_LIFE_MS, nowMs)
  if (known.size < REVOCATIONS) throw new Error(`only ${known.size} revocations are known`)
  return known.byteLength
}

function toFigure(holder: string, bytes: number): Figure {
  const megabytes = bytes / 1e6
  return {
    part: `memory of ${holder} for 1 million live revocations`,
    baseline: 'its arrays',
    value: { median: megabytes, min: megabytes, max: megabytes },
    unit: 'MB',
    most: MOST_MB,
  }
}
