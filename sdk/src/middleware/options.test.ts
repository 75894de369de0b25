import { describe, expect, expectTypeOf, it } from 'vitest'
import { requireSession as forExpress } from '../express.ts'
import { requireSession as forFastify } from '../fastify.ts'
import { requireSession as forHono } from '../hono.ts'
import { sessionProxy, withSession } from '../next.ts'
import { requireSession as forNode } from '../node.ts'
import type { VerifiedSession } from '../verifier/verification.ts'
import type { Verify } from './options.ts'
import { sessionOf } from './sessions.ts'

const verify: Verify = async () => ({ valid: false, reason: 'malformed' })
/** As an untyped program would call them. */
const makers: Record<string, (verify: unknown, options: unknown) => unknown> = {
  express: (...given) => Reflect.apply(forExpress, null, given),
  fastify: (...given) => Reflect.apply(forFastify, null, given),
  hono: (...given) => Reflect.apply(forHono, null, given),
  'next, withSession': (by, options) => Reflect.apply(withSession, null, [by, () => {}, options]),
  'next, sessionProxy': (...given) => Reflect.apply(sessionProxy, null, given),
  node: (by, options) => Reflect.apply(forNode, null, [by, () => {}, options]),
}

describe.each(Object.entries(makers))('%s', (_name, make) => {
  it.each([
    ['a name that is misspelt', { requireRoles: 'admin' }],
    ['a role that is undefined, since a setting was missing', { requireRole: undefined }],
    ['no role at all', { requireRole: [] }],
    ['an empty role', { requireRole: ['admin', ''] }],
    ['mfa that is undefined', { requireMfa: undefined }],
    ['mfa that is a text', { requireMfa: 'false' }],
    ['an age that is no number', { maxAuthAgeSeconds: Number.NaN }],
    ['an age that is endless', { maxAuthAgeSeconds: Number.POSITIVE_INFINITY }],
    ['an age below zero', { maxAuthAgeSeconds: -1 }],
    ['an age as text', { maxAuthAgeSeconds: '60' }],
    ['a realm that would break the header', { realm: 'a"\r\nSet-Cookie: x=y' }],
    ['a token that is no function', { getToken: 'cookie' }],
    ['a demand that only some would meet', { optional: true, requireMfa: true }],
    ['a role that only some would need', { optional: true, requireRole: 'admin' }],
    ['a member of every object', { constructor: true }],
  ])('refuses %s when the app starts, not when it is attacked', (_what, options) => {
    const [name = ''] = Object.keys(options)
    expect(() => make(verify, options)).toThrow(TypeError)
    expect(() => make(verify, options)).toThrow(new RegExp(`^${name}: (must|not|there)`))
  })

  it('refuses to be made with nothing that verifies', () => {
    expect(() => make(undefined, {})).toThrow(TypeError)
  })
})

describe('sessionOf', () => {
  it('throws where nothing let the request through, rather than give nothing', () => {
    expect(() => sessionOf({})).toThrow('requireSession')
  })
})

it('types the session as null only where it may be', () => {
  withSession(verify, (_, session) => {
    expectTypeOf(session).toEqualTypeOf<VerifiedSession>()
    return new Response()
  })
  const handler = (_: Request, session: VerifiedSession | null) => Response.json(session)
  withSession(verify, handler, { optional: true })
  // @ts-expect-error: a handler that needs a session does not do for requests that may have none
  withSession(verify, (_, session: VerifiedSession) => Response.json(session), { optional: true })
})
