import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { expect, it } from 'vitest'
import { claimsFor, createTestKey, TENANT } from '../../test/feed-service.ts'

const MAX_BUNDLE_BYTES = 15_000

async function bundle(contents: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: import.meta.dirname, loader: 'ts' },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['browser', 'import'],
    write: false,
  })
  return outputFiles[0]?.text ?? ''
}

it('is a small bundle for a browser or a Worker, with nothing of Node in it', async () => {
  const code = await bundle("export { createVerifier } from './verifier.ts'")
  expect(gzipSync(code).length).toBeLessThan(MAX_BUNDLE_BYTES)
  expect(code).not.toMatch(/node:|\brequire\(|\bBuffer\b|from"|import\(/)
})

it('verifies, refuses and hears of a revocation where there is nothing but the web platform', async () => {
  const issuer = `https://sesame.test/t/${TENANT}`
  const key = await createTestKey()
  const claims = claimsFor(issuer)
  const token = await key.sign(claims)
  const forged = await (await createTestKey()).sign(claims, { kid: key.kid })
  const revoked = { session_id: claims.sid, forget_after: new Date(Date.now() + 9e5).toISOString() }
  const script = await bundle(`
    import { createVerifier } from './verifier.ts'
    const print = console.log
    // Node makes its own web platform when it is first used, and needs these for that.
    await new Response('').text()
    for (const name of ['process', 'Buffer', 'global', 'setImmediate']) delete globalThis[name]
    let stream
    const verify = createVerifier({
      issuer: ${JSON.stringify(issuer)},
      revocations: { secretKey: 'sk_test_1' },
      onStale: 'refuse',
      fetch: async url => {
        if (!String(url).endsWith('/stream')) return Response.json({ keys: [${JSON.stringify(key.jwk)}] })
        const body = new ReadableStream({ start: controller => { stream = controller } })
        const send = text => stream.enqueue(new TextEncoder().encode(text))
        send('event: synced\\nid: 1\\ndata: {}\\n\\n')
        globalThis.revoke = () => send(${JSON.stringify(
          `id: 2\nevent: session_revoked\ndata: ${JSON.stringify(revoked)}\n\n`,
        )})
        return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
      },
    })
    await verify.ready()
    const good = await verify(${JSON.stringify(token)})
    const forged = await verify(${JSON.stringify(forged)})
    const told = new Promise(resolve => verify.onRevoked(good.session, resolve))
    revoke()
    await told
    const after = await verify(${JSON.stringify(token)})
    verify.close()
    print(JSON.stringify([good.valid, forged.reason, after.reason, typeof process]))
  `)
  const folder = await mkdtemp(join(tmpdir(), 'sesame-portable-'))
  try {
    const file = join(folder, 'bundle.mjs')
    await writeFile(file, script)
    const { stdout } = await promisify(execFile)(process.execPath, [file], { timeout: 20_000 })
    expect(JSON.parse(stdout)).toEqual([true, 'signature_invalid', 'session_revoked', 'undefined'])
  } finally {
    await rm(folder, { recursive: true })
  }
})
