import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { DataFolderInUseError } from './errors.ts'
import { lockFolder } from './folder-lock.ts'

let dataDir = ''

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'sesame-lock-'))
})

afterEach(() => {
  rmSync(dataDir, { recursive: true, force: true })
})

test('has one owner at a time', async () => {
  const unlock = await lockFolder(dataDir)
  await expect(lockFolder(dataDir)).rejects.toThrow(new DataFolderInUseError(dataDir, process.pid))
  unlock()
  await expect(lockFolder(dataDir)).resolves.toBeTypeOf('function')
})

test('lets one win at most, and never two, when many try at once', async () => {
  for (let round = 0; round < 5; round++) {
    const attempts = await Promise.allSettled(Array.from({ length: 4 }, () => lockFolder(dataDir)))
    const winners = attempts.filter(attempt => attempt.status === 'fulfilled')
    expect(winners.length).toBeLessThanOrEqual(1)
    for (const { value: unlock } of winners) unlock()
  }
})

test('is not held by a process that has ended', async () => {
  const ended = spawn('true')
  await once(ended, 'exit')
  claim(`${ended.pid}.whenever.00000000`)
  await expect(lockFolder(dataDir)).resolves.toBeTypeOf('function')
  expect(readdirSync(join(dataDir, 'owners'))).toHaveLength(1)
})

test('is not held by a stranger who got the pid of a process that has ended', async () => {
  claim(`${process.pid}.another-boot.00000000`)
  await expect(lockFolder(dataDir)).resolves.toBeTypeOf('function')
})

function claim(name: string): void {
  mkdirSync(join(dataDir, 'owners'), { recursive: true })
  writeFileSync(join(dataDir, 'owners', name), '')
}
