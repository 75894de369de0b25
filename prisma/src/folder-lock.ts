import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DataFolderInUseError } from './errors.ts'
import { processStart } from './processes.ts'

const ATTEMPTS = 5
const CLAIM = /^(\d+)\.([^.]+)\.[0-9a-f]{8}$/

/**
 * Makes this process the only owner of a data folder; answers with the release.
 *
 * Each contender leaves a claim, a file named after its pid and its start, and then looks for other
 * claims of live processes. Who sees none owns the folder; who sees one withdraws. Whichever of two
 * claims came second must see the first, so there are never two owners, and a claim of a dead
 * process can be removed by anybody at any time: its name never comes back. That is what a lock
 * file that is taken over cannot promise. Holds among processes that see each other's pids.
 */
export async function lockFolder(dataDir: string): Promise<() => void> {
  const claimsDir = join(dataDir, 'owners')
  mkdirSync(claimsDir, { recursive: true, mode: 0o700 })
  for (let attempt = 1; ; attempt++) {
    const claim = join(claimsDir, claimName())
    writeFileSync(claim, '', { mode: 0o600, flag: 'wx' })
    const release = () => rmSync(claim, { force: true })
    const rival = findRival(claimsDir, claim)
    if (rival === null) return release
    release()
    if (attempt === ATTEMPTS) throw new DataFolderInUseError(dataDir, rival)
    // Two that start together both withdraw; different pauses let one of them win.
    await sleep(20 + Math.random() * 100)
  }
}

function claimName(): string {
  return `${process.pid}.${processStart(process.pid)}.${randomBytes(4).toString('hex')}`
}

function findRival(claimsDir: string, ownClaim: string): number | null {
  for (const name of readdirSync(claimsDir)) {
    const [, pid, start] = CLAIM.exec(name) ?? []
    if (pid === undefined || ownClaim === join(claimsDir, name)) continue
    if (processStart(Number(pid)) === start) return Number(pid)
    rmSync(join(claimsDir, name), { force: true })
  }
  return null
}
