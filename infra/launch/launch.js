// Runs a command with this repository's own Node and packages, installing them first when they are
// missing. Plain JavaScript without dependencies: it has to work on a fresh clone, with Node 20.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installMissing } from './install.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BIN = join(ROOT, 'node_modules', '.bin')
const REQUIRED_MAJOR = 24
const WATCH_INTERVAL_MS = 500
const SIGNAL_NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }

const [command, ...args] = process.argv.slice(2)
if (command === undefined) fail('usage: node infra/launch/launch.js COMMAND [ARGUMENT…]')
try {
  await installMissing(ROOT)
} catch (error) {
  fail(error.message)
}
const node = findNode()
process.exit(await run(command === 'node' ? node : command, args))

/** Ours from node_modules; the machine's own where ours could not be installed but is new enough. */
function findNode() {
  const ours = join(BIN, 'node')
  if (majorOf(spawnSync(ours, ['-v'], { encoding: 'utf8' }).stdout) >= REQUIRED_MAJOR) return ours
  if (majorOf(process.version) >= REQUIRED_MAJOR) return process.execPath
  return fail(
    `Node ${REQUIRED_MAJOR} is not in node_modules, and this is ${process.version}: ` +
      'run "npm rebuild node --ignore-scripts=false", or install Node 24 yourself',
  )
}

function majorOf(version) {
  return Number(/^v(\d+)\./.exec(version ?? '')?.[1] ?? 0)
}

/** Runs the command to its end, handing on signals; answers with its exit code. */
async function run(program, programArgs) {
  const env = {
    // What was stripped of its types and compiled once need not be at the next start.
    NODE_COMPILE_CACHE: join(ROOT, 'node_modules', '.cache', 'compile'),
    ...process.env,
    PATH: [BIN, process.env.PATH].join(delimiter),
  }
  const child = spawn(program, programArgs, { cwd: ROOT, env, stdio: 'inherit' })
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT']) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to the child as well: sent on, it would count as the second one.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    })
  }
  stopWithNpm(child)
  try {
    const [code, signal] = await once(child, 'exit')
    return code ?? 128 + (SIGNAL_NUMBERS[signal] ?? 0)
  } catch (error) {
    return fail(`${program} cannot be run: ${error.message}`)
  }
}

/**
 * npm sends signals to the shell that it put between us, and not every shell hands them on; an npm
 * that was killed sends none. Both show in that our parent is gone.
 */
function stopWithNpm(child) {
  if (process.env.npm_lifecycle_event === undefined) return
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    child.kill('SIGTERM')
  }, WATCH_INTERVAL_MS)
}

function fail(message) {
  console.error(message)
  process.exit(1)
}
