import type { Part } from './figures.ts'
import { clusterPart } from './parts/cluster.ts'
import { createPart } from './parts/create.ts'
import { depthPart } from './parts/depth.ts'
import { peersPart } from './parts/peers.ts'
import { readPart } from './parts/read.ts'
import { refreshPart } from './parts/refresh.ts'
import { startPart } from './parts/start.ts'
import { tailPart } from './parts/tail.ts'
import { verifyPart } from './parts/verify.ts'

/** All that `npm run bench` knows, in the order in which it runs. */
export const PARTS: Part[] = [
  verifyPart,
  clusterPart,
  createPart,
  refreshPart,
  readPart,
  tailPart,
  startPart,
  peersPart,
  // The last: it leaves millions of rows behind.
  depthPart,
]
