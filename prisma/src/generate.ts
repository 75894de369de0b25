import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

// `prisma generate` wants to download an engine that it then does not use. With the path of any
// program in this variable it believes to have one, and works on a closed network.
const { status } = spawnSync('prisma', ['generate'], {
  cwd: fileURLToPath(new URL('..', import.meta.url)),
  stdio: 'inherit',
  // biome-ignore lint/style/noProcessEnv: handed on to the program as it is
  env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath },
})
process.exitCode = status ?? 1
