import { createVerifier, type Verifier } from '../../../sdk/src/index.ts'
import type { VerifiersOrder } from './feed-followers.ts'

/** The process of the verifiers. Each of them has a connection to the feed of its own. */
let verifiers: Verifier[] = []

process.on('message', (order: VerifiersOrder | { token: string }) => {
  const working = 'token' in order ? watch(order.token) : start(order)
  working.catch((error: unknown) => process.send?.({ failed: String(error) }))
})

async function start({ count, issuer, url, secretKey }: VerifiersOrder): Promise<void> {
  verifiers = Array.from({ length: count }, () =>
    createVerifier({
      issuer,
      baseUrl: url,
      jwksUri: `${url}${new URL(issuer).pathname}/.well-known/jwks.json`,
      revocations: { secretKey },
      // Nobody is asked: what is measured came over the feed.
      onStale: 'refuse',
    }),
  )
  await Promise.all(verifiers.map(verify => verify.ready()))
  process.send?.({ ready: count })
}

async function watch(token: string): Promise<void> {
  const refusals = await Promise.all(
    verifiers.map(async verify => {
      const result = await verify(token)
      if (!result.valid) throw new Error(`a good token was refused: ${result.reason}`)
      const revoked = Promise.withResolvers<void>()
      verify.onRevoked(result.session, revoked.resolve)
      return async (): Promise<number> => {
        await revoked.promise
        const after = await verify(token)
        if (after.valid || after.reason !== 'session_revoked')
          throw new Error('a revoked token was accepted')
        return performance.timeOrigin + performance.now()
      }
    }),
  )
  const waiting = Promise.all(refusals.map(refusal => refusal()))
  process.send?.({ watching: refusals.length })
  process.send?.({ refusedAtMs: await waiting })
}
