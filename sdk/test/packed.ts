import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const SDK = join(import.meta.dirname, '..')
const ROOT = join(SDK, '..')

/** The package as npm would publish it, and an empty project that has installed it. */
export interface PackedSdk {
  tarball: string
  /** The project: nothing else of this repository is near it. */
  project: string
  /** Where the package is in it. */
  installed: string
  /** Runs this program as a file of the project. */
  run(file: string, program: string): string
  /** Runs the TypeScript compiler in the project; throws what it complains about. */
  compile(compiler: 'typescript-5' | 'typescript-7', config: object): void
  close(): void
}

/** Builds and packs a copy, so that nobody who builds at the same time is in the way. */
export function packSdk(): PackedSdk {
  const folder = mkdtempSync(join(tmpdir(), 'sesame-sdk-'))
  const tarball = pack(folder)
  const project = join(folder, 'project')
  const installed = join(project, 'node_modules/@sesame/sdk')
  mkdirSync(installed, { recursive: true })
  execFileSync('tar', ['-xzf', tarball, '--strip-components=1', '-C', installed])
  cpSync(join(ROOT, 'node_modules/jose'), join(project, 'node_modules/jose'), { recursive: true })
  writeFileSync(join(project, 'package.json'), '{ "name": "project", "private": true }')
  return {
    tarball,
    project,
    installed,
    run(file, program) {
      writeFileSync(join(project, file), program)
      return execFileSync(process.execPath, [file], {
        cwd: project,
        encoding: 'utf8',
        stdio: 'pipe',
      })
    },
    compile(compiler, config) {
      writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(config))
      const from = compiler === 'typescript-5' ? SDK : ROOT
      node(join(from, 'node_modules/typescript/bin/tsc'), ['-p', '.'], project)
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  }
}

function pack(folder: string): string {
  const copy = join(folder, 'sdk')
  mkdirSync(copy)
  for (const name of ['src', 'package.json', 'tsconfig.build.json', 'LICENSE', 'README.md'])
    if (existsSync(join(SDK, name))) cpSync(join(SDK, name), join(copy, name), { recursive: true })
  cpSync(join(ROOT, 'tsconfig.base.json'), join(folder, 'tsconfig.base.json'))
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  node(join(ROOT, 'node_modules/typescript/bin/tsc'), ['-p', 'tsconfig.build.json'], copy)
  const npm = join(dirname(process.execPath), 'npm')
  const packed = execFileSync(
    existsSync(npm) ? npm : 'npm',
    ['pack', '--json', '--ignore-scripts'],
    {
      cwd: copy,
      encoding: 'utf8',
      stdio: 'pipe',
    },
  )
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }]
  return join(copy, filename)
}

/** Runs a program of Node, and throws what it printed when it fails. */
function node(program: string, args: string[], cwd: string): void {
  try {
    execFileSync(process.execPath, [program, ...args], { cwd, encoding: 'utf8', stdio: 'pipe' })
  } catch (error) {
    throw new Error(String(Reflect.get(Object(error), 'stdout')), { cause: error })
  }
}
