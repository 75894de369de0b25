import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

/** A process of ours that does not outlive us, in whatever way we end. */
export interface GuardedProcess {
  child: ChildProcess
  signal(name: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL' | 'SIGTERM'): void
  /** Kills it, stopped or not, and waits until it is gone. */
  kill(): Promise<void>
}

export function spawnGuarded(
  command: string,
  args: readonly string[],
  env?: Record<string, string>,
): GuardedProcess {
  const child = spawn(command, args, {
    // A Ctrl-C is for us, who end the others in order.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(env !== undefined && { env }),
  })
  const { pid } = child
  const release = pid === undefined ? () => {} : guard([pid], 'KILL')
  child.once('exit', release)
  child.once('error', release)
  return {
    child,
    signal: name => void child.kill(name),
    async kill() {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
  }
}

// The kernel closes the pipe when we end, be it by kill -9.
const GUARD = `
trap '' INT TERM HUP
signal=$1; shift
read -r _
kill -CONT "$@" 2>/dev/null
[ "$signal" = CONT ] || kill -s "$signal" "$@" 2>/dev/null
`

/** Signals these processes when we end before the answer, a release, was called. */
export function guard(pids: readonly number[], signal: 'KILL' | 'CONT'): () => void {
  const args = ['-c', GUARD, 'sesame-chaos-guard', signal, ...pids.map(String)]
  const shell = spawn('/bin/sh', args, { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  shell.on('error', () => {})
  shell.stdin.on('error', () => {})
  shell.unref()
  return () => void shell.kill('SIGKILL')
}
