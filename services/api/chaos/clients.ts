import { setTimeout as sleep } from 'node:timers/promises'
import type { Calls, Credential, Revoked, Session, SessionBody } from './calls.ts'
import type { Cluster } from './cluster.ts'
import type { Random } from './random.ts'
import { type RoundTools, SCENARIOS } from './scenarios.ts'
import { createTenant, type Place } from './tenants.ts'

export interface ClientsOptions {
  cluster: Cluster
  calls: Calls
  random: Random
  shared: Place
  clients: number
  signal: AbortSignal
}

export interface Played {
  /** Rounds by scenario whose revoke was acknowledged, and those that a fault cut short. */
  acknowledged: Map<string, number>
  cutShort: number
}

/** What must still be so when all is over. */
interface Sweep {
  ended: Sample
  living: Sample
}
interface Sample {
  by: Credential
  session: Session
}

// A call to a paused node is waited for in the background, while its client goes on elsewhere.
const PATIENCE_MS = 300
// Where nobody is there to answer, not ten thousand times a second.
const RETRY_MS = 50
const MAX_IN_BACKGROUND = 400
const SWEEP_SIZE = 1_500
const SWEEP_AT_ONCE = 16

/** Plays rounds until told to stop; then asks once more about what was revoked and what was not. */
export async function runClients(options: ClientsOptions) {
  const { cluster, calls, random, shared, clients, signal } = options
  const background = new Set<Promise<unknown>>()
  const sweep = { ended: [] as Sweep['ended'][], living: [] as Sweep['living'][] }
  const played: Played = { acknowledged: new Map(), cutShort: 0 }
  let names = 0

  const keepOne = (samples: Sample[], sample: Sample): void => {
    if (samples.length < SWEEP_SIZE) samples.push(sample)
    else samples[random.between(0, SWEEP_SIZE - 1)] = sample
  }

  const waitAWhile = async (work: Promise<unknown>): Promise<void> => {
    background.add(work)
    void work.finally(() => background.delete(work))
    await Promise.race([work, sleep(PATIENCE_MS)])
    while (background.size > MAX_IN_BACKGROUND) await Promise.race(background)
  }

  const everywhere = (by: Credential, session: Session): void => {
    const up = cluster.nodes.filter(({ state }) => state === 'up')
    const work = Promise.all(up.map(node => calls.verify(by, session, node)))
    background.add(work)
    void work.finally(() => background.delete(work))
  }

  const probe = (by: readonly Credential[], sessions: readonly Session[], except: number) =>
    Promise.all(
      random
        .shuffle(sessions)
        .slice(0, 3)
        .flatMap(session => by.flatMap(credential => probeOne(credential, session, except))),
    )

  const probeOne = (by: Credential, session: Session, except: number): Promise<unknown>[] => {
    const others = random.shuffle(cluster.nodes.filter(({ index }) => index !== except))
    const asked = others.filter(({ state }) => state !== 'down' || random.chance(0.05)).slice(0, 3)
    const refreshed = async () => {
      const fresh = await calls.refresh(by, session, asked.at(-1))
      if (fresh !== null) await calls.verify(by, fresh, calls.anyNode())
    }
    return [...asked.map(node => calls.verify(by, session, node)), refreshed()]
  }

  const toolsOf = (noteAcknowledged: () => void): RoundTools => ({
    calls,
    random,
    shared,
    ownTenant: settings => createTenant(calls, cluster.operatorKey, settings),
    uniqueName: () => `c${names++}`,
    everywhere,
    keep: (by, session) => keepOne(sweep.living, { by, session }),
    signIn: (by, count, body) => signIn(calls, random, by, count, body),
    async revokeAndProbe(by, sessions, revoke): Promise<Revoked> {
      const credentials: readonly Credential[] = 'key' in by ? [by] : by
      const [first] = credentials
      const [racer] = sessions
      const isRaced = first !== undefined && racer !== undefined && random.chance(0.4)
      const racing = isRaced ? calls.refresh(first, racer) : Promise.resolve(null)
      const revoked = await revoke()
      if (!revoked.isAcknowledged || first === undefined) return revoked
      noteAcknowledged()
      const raced = racing.then(fresh => fresh && calls.verify(first, fresh))
      await waitAWhile(Promise.all([probe(credentials, sessions, revoked.node), raced]))
      for (const session of sessions) keepOne(sweep.ended, { by: first, session })
      return revoked
    },
  })

  const wheel = SCENARIOS.flatMap(entry => Array.from({ length: entry[1] }, () => entry))
  const client = async (): Promise<void> => {
    while (!signal.aborted) {
      const [name, , play] = random.pick(wheel)
      let isAcknowledged = false
      await play(toolsOf(() => (isAcknowledged = true)))
      if (isAcknowledged) played.acknowledged.set(name, (played.acknowledged.get(name) ?? 0) + 1)
      else {
        played.cutShort++
        await sleep(RETRY_MS)
      }
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
  await Promise.all(background)
  return { played, sweep: () => askAgain(calls, [...sweep.ended, ...sweep.living]) }
}

async function signIn(
  calls: Calls,
  random: Random,
  by: Credential,
  count: number,
  body: SessionBody,
): Promise<Session[]> {
  const made = await Promise.all(Array.from({ length: count }, () => calls.create(by, body)))
  const sessions = made.filter(session => session !== null)
  const [first] = sessions
  if (first === undefined) return []
  await calls.verify(by, first)
  if (!random.chance(0.3)) return sessions
  const fresh = await calls.refresh(by, first)
  // Without an answer nobody knows which refresh token is the newest: such a session is let go.
  if (fresh === null) return sessions.slice(1)
  await calls.verify(by, fresh)
  return [fresh, ...sessions.slice(1)]
}

async function askAgain(calls: Calls, samples: Sample[]): Promise<void> {
  const worker = async () => {
    for (let sample = samples.pop(); sample !== undefined; sample = samples.pop())
      await calls.verify(sample.by, sample.session)
  }
  await Promise.all(Array.from({ length: SWEEP_AT_ONCE }, worker))
}
