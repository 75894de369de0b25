import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { camelCase } from '../src/client/casing.ts'
import { emitInterfaces } from './emit-interfaces.ts'
import { emitOperations } from './emit-operations.ts'
import { renameProperties } from './map-schemas.ts'
import { nameOperations } from './name-operations.ts'
import type { OpenApi, Schema } from './openapi.ts'

export const OPENAPI_FILE = new URL('../../docs/openapi.json', import.meta.url)
export const GENERATED_FOLDER = new URL('../src/generated/', import.meta.url)

const NOTICE = '// Made from docs/openapi.json by `npm run generate`: do not edit.\n\n'

/** The text of each file under src/generated, by its name. */
export async function generateTypes(): Promise<Record<string, string>> {
  const document: OpenApi = JSON.parse(readFileSync(OPENAPI_FILE, 'utf8'))
  const operations = nameOperations(document)
  const { schemas } = document.components
  const camelised = mapValues(schemas, schema => renameProperties(schema, camelCase))
  return {
    'wire.ts': format(await emitInterfaces(schemas)),
    'model.ts': format(await emitInterfaces(camelised)),
    'operations.ts': format(emitOperations(operations, './model.ts')),
  }
}

const BIOME = createRequire(import.meta.url).resolve('@biomejs/biome/bin/biome')

/** As everything else in this repository is formatted. */
const format = (text: string): string =>
  execFileSync(process.execPath, [BIOME, 'format', '--stdin-file-path=generated.ts'], {
    input: NOTICE + text,
    encoding: 'utf8',
  })

const mapValues = (schemas: Record<string, Schema>, change: (schema: Schema) => Schema) =>
  Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, change(schema)]))

if (import.meta.main) {
  for (const [name, text] of Object.entries(await generateTypes()))
    writeFileSync(new URL(name, GENERATED_FOLDER), text)
}
