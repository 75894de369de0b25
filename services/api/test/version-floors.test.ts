import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'

/** Below these, known holes are open: see docs/decisions. */
const FLOORS = {
  fastify: '5.12.1',
  'fast-jwt': '6.3.1',
  '@fastify/proxy-addr': '5.1.1',
}

function installedVersion(name: string): string {
  const require = createRequire(import.meta.url)
  let folder = dirname(require.resolve(name))
  for (;;) {
    try {
      const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
      if (manifest.name === name) return manifest.version
    } catch {
      // Not the package's own folder yet.
    }
    folder = dirname(folder)
  }
}

const parts = (version: string): number[] => version.split('.').map(Number)

function isAtLeast(version: string, floor: string): boolean {
  const [have, want] = [parts(version), parts(floor)]
  const at = want.findIndex((part, n) => part !== have[n])
  return at === -1 || (have[at] ?? 0) > (want[at] ?? 0)
}

it.each(Object.entries(FLOORS))('%s is at least %s', (name, floor) => {
  expect(isAtLeast(installedVersion(name), floor)).toBe(true)
})

// On Node 20 a small-order public key lets one constant signature pass.
it('runs on Node 24 or later', () => {
  expect(isAtLeast(process.versions.node, '24.0.0')).toBe(true)
})
