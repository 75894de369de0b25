import { expectTypeOf } from 'vitest'
import type * as model from '../src/generated/model.ts'
import type * as wire from '../src/generated/wire.ts'
import {
  ApiError,
  type InvalidReason,
  type Page,
  type RevocationPage,
  type RevokeAllParams,
  type Sesame,
  SesameError,
  type Session,
  type TokenInvalidReason,
  type Verification,
  type VerifiedSession,
} from '../src/index.ts'

// Compiled by `npm run check:types`, and never run.
declare const sesame: Sesame
declare const maybe: string | undefined

type Camel<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Name
type Camelised<T> = T extends readonly (infer Item)[]
  ? Camelised<Item>[]
  : T extends object
    ? { [Name in keyof T as Name extends string ? Camel<Name> : Name]: Camelised<T[Name]> }
    : T

export function theModelIsTheWireWithOtherNames(): void {
  expectTypeOf<Camelised<wire.Session>>().toEqualTypeOf<model.Session>()
  expectTypeOf<Camelised<wire.SessionTokens>>().toEqualTypeOf<model.SessionTokens>()
  expectTypeOf<Camelised<wire.TenantSettings>>().toEqualTypeOf<model.TenantSettings>()
  expectTypeOf<Camelised<wire.Revocation>>().toEqualTypeOf<model.Revocation>()
  expectTypeOf<Camelised<wire.ApiKeyWithSecret>>().toEqualTypeOf<model.ApiKeyWithSecret>()
}

export function theVerifierSpeaksAsTheService(): void {
  expectTypeOf<NonNullable<model.Verification['reason']>>().toEqualTypeOf<TokenInvalidReason>()
  expectTypeOf<TokenInvalidReason>().toExtend<InvalidReason>()
  type Said = Required<Omit<model.Verification, 'valid' | 'reason'>>
  expectTypeOf<Said>().toEqualTypeOf<VerifiedSession>()
}

export async function aVerificationCannotBeMisread(): Promise<void> {
  const verification = await sesame.sessions.verify('token')
  expectTypeOf(verification).toExtend<Verification>()
  // @ts-expect-error nobody has a session before looking at `valid`
  verification.session
  if (verification.valid) expectTypeOf(verification.session).toEqualTypeOf<VerifiedSession>()
  else expectTypeOf(verification.reason).toEqualTypeOf<TokenInvalidReason>()
}

export async function resultsAreTyped(): Promise<void> {
  const made = await sesame.sessions.create({ userId: 'ada', metadata: { my_key: 'a' } })
  expectTypeOf(made.session).toEqualTypeOf<Session>()
  expectTypeOf(made.session.metadata).toEqualTypeOf<{ [key: string]: string }>()
  expectTypeOf(made.session.revokedAt).toEqualTypeOf<string | null>()
  expectTypeOf(await sesame.sessions.revoke('ses_1')).toBeVoid()
  expectTypeOf(await sesame.sessions.list().page()).toEqualTypeOf<Page<Session>>()
  for await (const session of sesame.sessions.list()) expectTypeOf(session).toEqualTypeOf<Session>()
  expectTypeOf(await sesame.revocations.list().page()).toEqualTypeOf<RevocationPage>()
  const { settings } = await sesame.tenants.get('tnt_1')
  expectTypeOf(settings.apps).toHaveProperty('web').toHaveProperty('sessionTtlSeconds')
}

export async function whatIsWrongDoesNotCompile(): Promise<void> {
  // @ts-expect-error whose session?
  await sesame.sessions.create({})
  // @ts-expect-error fields of the wire have other names here
  await sesame.sessions.create({ user_id: 'ada' })
  // @ts-expect-error a misspelt filter
  sesame.sessions.list({ user: 'ada' })
  // @ts-expect-error a lost user id
  sesame.sessions.list({ userId: maybe })
  // @ts-expect-error an Idempotency-Key changes nothing here
  await sesame.sessions.get('ses_1', { idempotencyKey: 'a' })
  // @ts-expect-error the last page has no cursor: start from there, and the list begins anew
  sesame.sessions.list({ cursor: (await sesame.sessions.list().page()).nextCursor })
}

export function everybodyHasToBeSaid(): void {
  expectTypeOf<{ userId: string }>().toExtend<RevokeAllParams>()
  expectTypeOf<{ all: true; except: string }>().toExtend<RevokeAllParams>()
  expectTypeOf<{ userId: string; orgId: string; dryRun: true }>().toExtend<RevokeAllParams>()
  expectTypeOf<Record<never, never>>().not.toExtend<RevokeAllParams>()
  expectTypeOf<{ reason: string }>().not.toExtend<RevokeAllParams>()
  expectTypeOf<{ userId: string | undefined }>().not.toExtend<RevokeAllParams>()
  expectTypeOf<{ all: true; userId: string }>().not.toExtend<RevokeAllParams>()
  expectTypeOf<{ all: boolean }>().not.toExtend<RevokeAllParams>()
}

export function errorsNarrow(error: unknown): void {
  if (error instanceof ApiError) expectTypeOf(error.status).toBeNumber()
  else if (error instanceof SesameError) expectTypeOf(error.status).toEqualTypeOf<number | null>()
}
