import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { expect, it } from 'vitest'
import { withRouteTable } from '../test/route-table.ts'
import { generateOpenApi, OPENAPI_FILE } from './generate-openapi.ts'

it('docs/openapi.json is what the routes say (else run npm run generate)', async () => {
  expect(readFileSync(OPENAPI_FILE, 'utf8')).toBe(await generateOpenApi())
})

it('every schema that a request is checked by is JSON Schema', async () => {
  const ajv = new Ajv()
  const { routes } = await withRouteTable(generateOpenApi)
  const schemas = routes.flatMap(({ schema: { body, params, querystring } }) =>
    [body, params, querystring].filter(part => part !== undefined),
  )
  expect(schemas.length).toBeGreaterThan(20)
  for (const schema of schemas)
    expect(ajv.validateSchema(Object(schema)), ajv.errorsText()).toBe(true)
  expect(ajv.validateSchema({ type: 'text' })).toBe(false)
})
