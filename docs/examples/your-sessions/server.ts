import { serve } from '@hono/node-server'
import { createVerifier, Sesame } from '@sesame/sdk'
import { createApp } from './app.ts'

const { SESAME_ISSUER, SESAME_SECRET_KEY, APP_URL = 'http://localhost:8080' } = process.env
if (SESAME_ISSUER === undefined || SESAME_SECRET_KEY === undefined) {
  console.error('set SESAME_ISSUER (http://…/t/tnt_…) and SESAME_SECRET_KEY: see README.md')
  process.exit(1)
}

const sesame = new Sesame({
  secretKey: SESAME_SECRET_KEY,
  baseUrl: SESAME_ISSUER.replace(/\/t\/[^/]+$/, ''),
})
const verify = createVerifier({
  issuer: SESAME_ISSUER,
  revocations: { secretKey: SESAME_SECRET_KEY },
})
await verify.ready()

const { origin, port } = new URL(APP_URL)
const app = createApp({ sesame, verify, origin })
serve({ fetch: app.fetch, port: Number(process.env.PORT ?? (port || 8080)) }, () => {
  console.log(`Your sessions: ${origin}`)
})
