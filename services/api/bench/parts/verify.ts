import { createPublicKey } from 'node:crypto'
import type { Figure, Form, Part } from '../figures.ts'
import type { Call } from '../load.ts'
import { mintTokens, readKeyring, type SignIn, signIn } from '../sign-ins.ts'
import type { World } from '../world.ts'
import { measureRatio } from './ratio.ts'

const DISTINCT_TOKENS = 10_000
/** More than a node remembers, so that none is met again in time. */
const UNSEEN_TOKENS = 40_000
/** A token seen before has been seen then. */
const ALL_SEEN_REQUESTS = DISTINCT_TOKENS
const WARM_UP_REQUESTS = 4_000

/** One node and no Redis: a token seen before, one never seen, and three that are refused. */
export const verifyPart: Part = {
  name: 'verify',
  isQuick: true,
  async run(world, form) {
    const signIns = await signIn(world, DISTINCT_TOKENS)
    const valid = await sampleOf(world, signIns[0]?.accessToken ?? '')
    const seen = await measureRatio(world, form, {
      part: 'verify, token seen before, one node',
      baseline: 'BF',
      most: 1.8,
      warmUpRequests: ALL_SEEN_REQUESTS,
      status: 200,
      calls: signIns.map(each => verifyCall(world, each.accessToken, each.sessionId)),
      options: { kind: 'verify', sample: valid },
    })
    return [
      seen,
      await firstSight(world, form, signIns, valid),
      ...(await refusals(world, form, signIns)),
    ]
  },
}

export function verifyCall(
  { headers }: Pick<World, 'headers'>,
  token: string,
  expects: string,
): Call {
  const body = JSON.stringify({ token })
  return { method: 'POST', path: '/v1/sessions/verify', headers, body, expects }
}

export const sampleOf = (world: World, token: string): Promise<unknown> =>
  world.call('POST', '/v1/sessions/verify', { token })

async function firstSight(
  world: World,
  form: Form,
  signIns: SignIn[],
  sample: unknown,
): Promise<Figure> {
  const tokens = mintTokens(await readKeyring(world), signIns, UNSEEN_TOKENS)
  return measureRatio(world, form, {
    part: 'verify, first sight',
    baseline: 'BF + one fast-jwt EdDSA verify',
    most: 1.25,
    warmUpRequests: WARM_UP_REQUESTS,
    status: 200,
    calls: tokens.map((token, n) =>
      verifyCall(world, token, signIns[n % signIns.length]?.sessionId ?? ''),
    ),
    options: { kind: 'verify-signature', sample, publicKeyPem: await publicKeyOf(world) },
  })
}

async function refusals(world: World, form: Form, signIns: SignIn[]): Promise<Figure[]> {
  const good = mintTokens(await readKeyring(world), signIns, DISTINCT_TOKENS)
  const publicKeyPem = await publicKeyOf(world)
  const figures: Figure[] = []
  for (const { part, baseline, kind, most, reason, spoil } of REFUSALS)
    figures.push(
      await measureRatio(world, form, {
        part,
        baseline,
        most,
        warmUpRequests: WARM_UP_REQUESTS,
        status: 200,
        calls: good.map(token => verifyCall(world, spoil(token), `"reason":"${reason}"`)),
        options: { kind, sample: { valid: false, reason }, publicKeyPem },
      }),
    )
  return figures
}

const REFUSALS = [
  {
    part: 'verify, refused for its form',
    baseline: 'BF',
    kind: 'verify',
    most: 1.2,
    reason: 'malformed',
    spoil: (token: string) => token.replaceAll('.', '_'),
  },
  {
    part: 'verify, refused for an unknown kid',
    baseline: 'BF',
    kind: 'verify',
    most: 1.3,
    reason: 'signature_invalid',
    spoil: (token: string) => FOREIGN_HEADER + token.slice(token.indexOf('.')),
  },
  {
    part: 'verify, refused for its signature',
    baseline: 'BF + one fast-jwt EdDSA verify that fails',
    kind: 'verify-signature',
    most: 1.1,
    reason: 'signature_invalid',
    spoil: (token: string) => {
      const middle = token.length - 40
      const other = token[middle] === 'A' ? 'B' : 'A'
      return token.slice(0, middle) + other + token.slice(middle + 1)
    },
  },
]

const FOREIGN_HEADER = Buffer.from(
  JSON.stringify({ alg: 'EdDSA', typ: 'at+jwt', kid: 'k'.repeat(43) }),
).toString('base64url')

/** The key that signs now, for the baseline's verifier. */
export async function publicKeyOf(world: World): Promise<string> {
  const keyring = await readKeyring(world)
  const kid = keyring.signer(Date.now())?.kid
  const jwk = keyring.published(Date.now()).find(each => each.kid === kid)
  if (jwk === undefined) throw new Error('the tenant has no key that signs')
  return createPublicKey({ key: { ...jwk }, format: 'jwk' })
    .export({ type: 'spki', format: 'pem' })
    .toString()
}
