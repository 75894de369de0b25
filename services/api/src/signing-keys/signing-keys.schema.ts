import type { Static } from 'typebox'
import { KID_PATTERN } from '../shared/ids.ts'
import { Instant, Nullable } from '../shared/schema.ts'
import { Type } from '../shared/type.ts'

const Kid = Type.String({
  pattern: KID_PATTERN,
  description: 'RFC 7638 thumbprint of the public key.',
  examples: ['kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k'],
})

export const Jwk = Type.Object(
  {
    kty: Type.Literal('OKP'),
    crv: Type.Literal('Ed25519'),
    x: Type.String({ description: 'The public key in base64url (RFC 8037).' }),
    kid: Kid,
    alg: Type.Literal('EdDSA'),
    use: Type.Literal('sig'),
  },
  { additionalProperties: false, description: 'A public signing key (RFC 7517, RFC 8037).' },
)

export const JwkSet = Type.Object(
  { keys: Type.Array(Jwk) },
  { additionalProperties: false, description: 'A JWK set (RFC 7517).' },
)

export const SigningKey = Type.Object(
  {
    object: Type.Literal('signing_key'),
    kid: Kid,
    status: Type.Enum(['next', 'active', 'retired', 'revoked'], {
      description:
        '`next` is published and does not sign yet; `retired` no longer signs and is published ' +
        'until the last token it signed has expired.',
    }),
    public_jwk: Jwk,
    created_at: Instant,
    signs_from: Nullable(Instant, 'When it begins to sign; null while nothing has called it up.'),
    published_until: Nullable(Instant, 'When it leaves the JWK set; null while that is open.'),
    revoked_at: Nullable(Instant),
  },
  { additionalProperties: false, description: 'The public half of a signing key of the tenant.' },
)
export type SigningKey = Static<typeof SigningKey>

export const SigningKeyList = Type.Object(
  {
    object: Type.Literal('list'),
    data: Type.Array(SigningKey),
    has_more: Type.Literal(false),
    next_cursor: Type.Null(),
  },
  { additionalProperties: false },
)
export type SigningKeyList = Static<typeof SigningKeyList>

export const SigningKeyParams = Type.Object({ kid: Kid }, { additionalProperties: false })

export const RevokeSigningKeyQuery = Type.Object(
  { reason: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })) },
  { additionalProperties: false },
)
