import type { Part } from './figures.ts'
import { agePart } from './parts/age.ts'
import { bulkPart } from './parts/bulk.ts'
import { clusterPart } from './parts/cluster.ts'
import { createPart } from './parts/create.ts'
import { dataPathPart } from './parts/data-path.ts'
import { depthPart } from './parts/depth.ts'
import { feedPart } from './parts/feed.ts'
import { freshnessPart } from './parts/freshness.ts'
import { memoryPart } from './parts/memory.ts'
import { neighbourPart } from './parts/neighbour.ts'
import { peersPart } from './parts/peers.ts'
import { readPart } from './parts/read.ts'
import { refreshPart } from './parts/refresh.ts'
import { sdkPart } from './parts/sdk.ts'
import { startPart } from './parts/start.ts'
import { tailPart } from './parts/tail.ts'
import { verifyPart } from './parts/verify.ts'

/** All that `npm run bench` knows, in the order in which it runs. */
export const PARTS: Part[] = [
  // The first: a node that has verified thousands writes down when they were active.
  dataPathPart,
  verifyPart,
  clusterPart,
  createPart,
  refreshPart,
  readPart,
  sdkPart,
  memoryPart,
  feedPart,
  freshnessPart,
  tailPart,
  neighbourPart,
  startPart,
  peersPart,
  // The last: they leave millions of rows behind.
  bulkPart,
  depthPart,
  agePart,
]
