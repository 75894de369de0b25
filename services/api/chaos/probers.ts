import { setTimeout as sleep } from 'node:timers/promises'
import type { Calls, Credential, Session } from './calls.ts'
import type { Cluster } from './cluster.ts'
import type { Operation } from './history.ts'

const INTERVAL_MS = 50

/** Asks every node, all the time, about a session that nobody revokes: how long is it not there? */
export async function runProbers(
  { nodes }: Cluster,
  calls: Calls,
  by: Credential,
  session: Session,
  signal: AbortSignal,
): Promise<Operation[]> {
  const probes: Operation[] = []
  const prober = async (node: (typeof nodes)[number]) => {
    while (!signal.aborted) {
      probes.push(await calls.verify(by, session, node))
      await sleep(INTERVAL_MS)
    }
  }
  await Promise.all(nodes.map(prober))
  return probes
}
