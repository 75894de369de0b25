import { setTimeout as sleep } from 'node:timers/promises'

/** Cut short, never failed, by the end of the run: what was struck must still be mended. */
export async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {})
}
