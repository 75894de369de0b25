import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const LONGEST_INSTALL_MS = 15 * 60_000

/**
 * Installs what package-lock.json asks for, unless node_modules holds exactly that. Of several that
 * start together one installs and the others wait for it.
 *
 * @param {string} root the repository
 */
export async function installMissing(root) {
  if (isInstalled(root)) return
  const unlock = await lock(root)
  try {
    if (!isInstalled(root)) await install(root)
  } finally {
    unlock()
  }
}

/**
 * Compares package-lock.json with the list that npm leaves in node_modules as the last step of an
 * install, and looks for each package: an install that was cut off or damaged does not pass.
 *
 * @param {string} root the repository
 */
export function isInstalled(root) {
  const wanted = readPackages(join(root, 'package-lock.json'))
  const installed = readPackages(join(root, 'node_modules', '.package-lock.json'))
  if (wanted === null) throw new Error(`package-lock.json is missing in ${root}`)
  if (installed === null || !existsSync(join(root, 'node_modules', '.bin', 'node'))) return false
  return Object.entries(wanted).every(([path, { version, integrity, optional }]) => {
    const found = installed[path]
    // Packages for other platforms are optional and not here; workspaces are not in node_modules.
    if (found === undefined) return optional === true || path === ''
    const isSame = found.version === version && found.integrity === integrity
    return isSame && existsSync(join(root, path, 'package.json'))
  })
}

function readPackages(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages
  } catch {
    return null
  }
}

async function install(root) {
  console.error('Installing what is missing (npm ci). This takes about a minute the first time.')
  // The npm that runs us, by the Node that runs it: ours is about to be replaced.
  const { npm_execpath: npm, npm_node_execpath: node } = process.env
  const [program, ...programArgs] = npm && node ? [node, npm] : ['npm']
  const flags = ['--include=dev', '--no-audit', '--no-fund', '--loglevel=error']
  const child = spawn(program, [...programArgs, 'ci', ...flags], {
    cwd: root,
    stdio: ['ignore', process.stderr, process.stderr],
  })
  const handOn = signal => child.kill(signal)
  process.on('SIGTERM', handOn).on('SIGINT', handOn)
  const [code, signal] = await once(child, 'exit')
  process.off('SIGTERM', handOn).off('SIGINT', handOn)
  if (code !== 0) throw new Error(`npm ci failed (${signal ?? `exit code ${code}`}); see above`)
  if (!isInstalled(root)) throw new Error('npm ci did not install everything; see above')
}

/**
 * Each contender leaves a claim and looks for others; who sees another withdraws and tries again.
 * Not in the repository: npm ci empties node_modules, and anything else would show in git.
 */
async function lock(root) {
  const name = createHash('sha256').update(`${userInfo().uid}:${root}`).digest('hex').slice(0, 16)
  const claimsDir = join(tmpdir(), `sesame-install-${name}`)
  mkdirSync(claimsDir, { recursive: true, mode: 0o700 })
  const claim = join(claimsDir, `${process.pid}.${randomBytes(4).toString('hex')}`)
  const unlock = () => rmSync(claim, { force: true })
  for (;;) {
    writeFileSync(claim, '')
    if (!hasRival(claimsDir, claim)) return unlock
    unlock()
    await sleep(200 + Math.random() * 500)
  }
}

function hasRival(claimsDir, ownClaim) {
  return readdirSync(claimsDir).some(name => {
    const path = join(claimsDir, name)
    if (path === ownClaim) return false
    if (isAlive(Number(name.split('.')[0])) && !isOlderThan(path, LONGEST_INSTALL_MS)) return true
    rmSync(path, { force: true })
    return false
  })
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

function isOlderThan(path, ageMs) {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat === undefined || Date.now() - stat.mtimeMs > ageMs
}
