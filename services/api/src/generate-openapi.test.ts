import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { generateOpenApi, OPENAPI_FILE } from './generate-openapi.ts'

it('docs/openapi.json is what the routes say (else run npm run generate)', async () => {
  expect(readFileSync(OPENAPI_FILE, 'utf8')).toBe(await generateOpenApi())
})
