import { writeFileSync } from 'node:fs'
import { openDatabase } from '@sesame/db'
import { pino } from 'pino'
import { buildApp } from './app.ts'
import { systemClock } from './shared/clock.ts'
import { createServices } from './wiring.ts'

export const OPENAPI_FILE = new URL('../../../docs/openapi.json', import.meta.url)

/** The text of docs/openapi.json: what the routes say of themselves. Needs no database. */
export async function generateOpenApi(): Promise<string> {
  const log = pino({ level: 'silent' })
  const publicUrl = 'http://127.0.0.1:3000'
  // Nothing connects before the first query, and there is none.
  const database = openDatabase({
    databaseUrl: 'postgresql://127.0.0.1:1/none',
    poolSize: 1,
    onConnectionError: () => {},
  })
  const services = createServices({
    database,
    masterKey: Buffer.alloc(32),
    publicUrl,
    geo: { locate: () => ({ country: null, location: null }), close: () => {} },
    clock: systemClock,
    log,
  })
  const app = await buildApp({
    config: { publicUrl, trustProxy: false },
    services,
    log,
    operatorKeyHash: Buffer.alloc(32),
  })
  try {
    return `${JSON.stringify(app.openApiDocument(), null, 2)}\n`
  } finally {
    await app.close()
    await database.close()
  }
}

if (import.meta.main) writeFileSync(OPENAPI_FILE, await generateOpenApi())
