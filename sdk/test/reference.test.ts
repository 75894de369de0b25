import { execFile } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { ROOT } from './doc-pages.ts'

const read = (folder: string): Record<string, string> =>
  Object.fromEntries(
    globSync('*.md', { cwd: folder })
      .sort()
      .map(name => [name, readFileSync(join(folder, name), 'utf8')]),
  )

test('the reference is what the docstrings say: `npm run generate` when it is not', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sesame-reference-'))
  try {
    const typedoc = join(ROOT, 'sdk/node_modules/.bin/typedoc')
    await promisify(execFile)(typedoc, ['--out', folder], { cwd: join(ROOT, 'sdk') })
    expect(read(join(ROOT, 'docs/reference/sdk'))).toEqual(read(folder))
  } finally {
    rmSync(folder, { recursive: true })
  }
}, 60_000)
