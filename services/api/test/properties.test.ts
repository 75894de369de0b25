import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSecret, tenantOfSecret } from '../src/api-keys/api-key-secret.ts'
import { createRefreshTokens } from '../src/refresh/refresh-token.ts'
import { createMasterKey } from '../src/shared/crypto.ts'
import { type CursorScope, createCursors } from '../src/shared/cursor.ts'
import {
  FOREIGN_ID_PATTERN,
  type IdPrefix,
  idPattern,
  isTenantId,
  newId,
} from '../src/shared/ids.ts'
import {
  DEFAULT_SETTINGS,
  lifetimesOf,
  type TenantSettings,
} from '../src/tenants/tenants.schema.ts'
import { mergeSettings, readSettings } from '../src/tenants/tenants.settings.ts'
import { createTestApp, type TestApp, type TestTenant } from './test-app.ts'

const masterKey = createMasterKey(Buffer.alloc(32, 3))
const otherMasterKey = createMasterKey(Buffer.alloc(32, 4))

const ULID_ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const ulid = fc
  .tuple(
    fc.constantFrom(...'01234567'),
    fc.string({ unit: fc.constantFrom(...ULID_ALPHABET), minLength: 25, maxLength: 25 }),
  )
  .map(([first, rest]) => first + rest)
const tenantId = ulid.map(text => `tnt_${text}`).filter(isTenantId)
const foreignId = fc.stringMatching(new RegExp(FOREIGN_ID_PATTERN))

/** A text with one character replaced by another one of an alphabet. */
const alteredOnce = (text: string, alphabet: string) =>
  fc
    .tuple(fc.nat(text.length - 1), fc.constantFrom(...alphabet))
    .filter(([at, character]) => text[at] !== character)
    .map(([at, character]) => text.slice(0, at) + character + text.slice(at + 1))

/** Every text that differs from this one by one bit of one byte. */
const allBitFlips = (text: string): string[] =>
  Array.from({ length: text.length * 8 }, (_, bit) => {
    const bytes = Buffer.from(text, 'latin1')
    bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
    return bytes.toString('latin1')
  })

describe('ids', () => {
  const prefixes: IdPrefix[] = ['tnt', 'key', 'ses', 'evt', 'req']

  it('have their form, are new each time, and sort by creation', () => {
    const made = Array.from({ length: 20_000 }, () => newId('ses'))
    expect(new Set(made).size).toBe(made.length)
    expect(made.toSorted()).toEqual(made)
    for (const prefix of prefixes) expect(newId(prefix)).toMatch(new RegExp(idPattern(prefix)))
  })

  it('of one kind are of no other kind', () => {
    fc.assert(
      fc.property(fc.constantFrom(...prefixes), fc.constantFrom(...prefixes), (a, b) => {
        expect(new RegExp(idPattern(a)).test(newId(b))).toBe(a === b)
      }),
    )
  })

  it('of a tenant are never mistaken in anything else', () => {
    fc.assert(fc.property(fc.string(), text => !isTenantId(text)))
    fc.assert(fc.property(tenantId, id => isTenantId(id) && !isTenantId(`${id}\n`)))
    fc.assert(fc.property(tenantId, id => !isTenantId(id.toLowerCase())))
  })

  it('that a tenant brings have no character that means something in a URL, SQL or a log', () => {
    fc.assert(
      fc.property(foreignId, id => {
        expect(id).not.toMatch(/[\s/\\?#%&'"`<>\p{C}]/u)
        expect(id.length).toBeLessThanOrEqual(128)
      }),
    )
  })
})

describe('a cursor', () => {
  const cursors = createCursors(masterKey)
  const filters = fc.dictionary(
    fc.constantFrom('user_id', 'org_id', 'status', 'type'),
    fc.option(foreignId, { nil: undefined }),
  )
  const scope: fc.Arbitrary<CursorScope> = fc.record({
    tenantId,
    list: fc.constantFrom('sessions', 'events', 'api_keys'),
    filters,
  })
  const id = ulid.map(text => `ses_${text}`)

  it('opens where it was made, to what it was made of', () => {
    fc.assert(
      fc.property(scope, id, (where, lastId) => {
        const cursor = cursors.seal(where, lastId)
        expect(cursor).toMatch(/^[\w-]+$/)
        expect(cursors.open(where, cursor)).toBe(lastId)
        const reordered = Object.fromEntries(Object.entries(where.filters).toReversed())
        expect(cursors.open({ ...where, filters: reordered }, cursor)).toBe(lastId)
      }),
    )
  })

  it('opens nowhere else', () => {
    const meaning = ({ tenantId: tenant, list, filters: given }: CursorScope) =>
      JSON.stringify([
        tenant,
        list,
        Object.entries(given)
          .filter(([, value]) => value !== undefined)
          .toSorted(([a], [b]) => a.localeCompare(b)),
      ])
    fc.assert(
      fc.property(scope, scope, id, (made, used, lastId) => {
        fc.pre(meaning(made) !== meaning(used))
        const cursor = cursors.seal(made, lastId)
        expect(() => cursors.open(used, cursor)).toThrow('cursor_invalid')
      }),
    )
  })

  it('of another master key is forged', () => {
    fc.assert(
      fc.property(scope, id, (where, lastId) => {
        const forged = createCursors(otherMasterKey).seal(where, lastId)
        expect(() => cursors.open(where, forged)).toThrow('cursor_invalid')
      }),
    )
  })

  it('is refused in every form but the one it was given in', () => {
    const where: CursorScope = { tenantId: newId('tnt'), list: 'sessions', filters: {} }
    const cursor = cursors.seal(where, newId('ses'))
    const others = [
      ...allBitFlips(cursor),
      ...Array.from(cursor, (_, at) => cursor.slice(0, at)),
      ...Array.from(BASE64URL, character => cursor + character),
      `${cursor}=`,
      ` ${cursor}`,
      `${cursor}\n`,
      'A'.repeat(10_240),
    ]
    for (const text of others) expect(() => cursors.open(where, text)).toThrow('cursor_invalid')
  })

  it('of any text at all is refused, never an error of ours', () => {
    const where: CursorScope = { tenantId: newId('tnt'), list: 'sessions', filters: {} }
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        expect(() => cursors.open(where, text)).toThrow('cursor_invalid')
      }),
    )
  })
})

describe('the secret of an API key', () => {
  it('tells its tenant, and nothing else does', () => {
    fc.assert(
      fc.property(tenantId, fc.constantFrom('live', 'test'), (tenant, mode) => {
        const { secret, prefix } = createSecret(tenant, mode)
        expect(tenantOfSecret(secret)).toBe(tenant)
        expect(secret.startsWith(`sk_${mode}_`)).toBe(true)
        expect(secret.startsWith(prefix)).toBe(true)
        expect(tenantOfSecret(` ${secret}`)).toBeNull()
        expect(tenantOfSecret(`${secret}\n`)).toBeNull()
      }),
    )
  })

  it('that was mistyped by one character is recognised as no key, offline', () => {
    fc.assert(
      fc.property(
        tenantId.chain(tenant => {
          const { secret } = createSecret(tenant, 'live')
          return alteredOnce(secret, BASE64URL)
        }),
        text => tenantOfSecret(text) === null,
      ),
    )
  })

  it('is no text that somebody makes up', () => {
    fc.assert(fc.property(fc.string(), text => tenantOfSecret(text) === null))
    fc.assert(
      fc.property(ulid, tenant => {
        const random = randomBytes(32).toString('base64url')
        expect(tenantOfSecret(`sk_live_${random}${tenant}AAAAAA`)).toBeNull()
      }),
    )
  })

  it('is never made twice', () => {
    const tenant = newId('tnt')
    const made = Array.from({ length: 2_000 }, () => createSecret(tenant, 'live').secret)
    expect(new Set(made).size).toBe(made.length)
  })
})

describe('a refresh token', () => {
  const tokens = createRefreshTokens(masterKey)
  const made = (generation: number) => ({
    tenantId: newId('tnt'),
    sessionId: newId('ses'),
    generation,
    familySecret: tokens.createFamily().familySecret,
  })

  it('opens to what it was made of', () => {
    fc.assert(
      fc.property(fc.nat(999_999_999), generation => {
        const token = made(generation)
        const text = tokens.seal(token)
        expect(text).toMatch(/^rt_[\w.-]+$/)
        expect(tokens.open(text)).toEqual(token)
      }),
    )
  })

  it('is refused with any bit of any byte flipped', () => {
    const text = tokens.seal(made(7))
    for (const flipped of allBitFlips(text)) expect(tokens.open(flipped)).toBeNull()
  })

  it('is refused with any character replaced, added or left out', () => {
    const text = tokens.seal(made(7))
    fc.assert(
      fc.property(alteredOnce(text, `${BASE64URL}.`), each => tokens.open(each) === null),
      {
        numRuns: 2_000,
      },
    )
    for (let at = 0; at <= text.length; at++) {
      expect(tokens.open(`${text.slice(0, at)}A${text.slice(at)}`)).toBeNull()
      if (at < text.length) expect(tokens.open(text.slice(0, at) + text.slice(at + 1))).toBeNull()
    }
  })

  it('of another master key, generation, session or tenant is refused', () => {
    const token = made(7)
    expect(tokens.open(createRefreshTokens(otherMasterKey).seal(token))).toBeNull()
    const [, tenant = '', session = '', , family = '', mac = ''] =
      /^rt_(\w+)\.(\w+)\.(\d+)\.([\w-]+)\.([\w-]+)$/.exec(tokens.seal(token)) ?? []
    const parts = (t: string, s: string, g: string) => `rt_${t}.${s}.${g}.${family}.${mac}`
    expect(tokens.open(parts(tenant, session, '7'))).toEqual(token)
    expect(tokens.open(parts(tenant, session, '8'))).toBeNull()
    expect(tokens.open(parts(tenant, session, '07'))).toBeNull()
    expect(tokens.open(parts(tenant, newId('ses').slice(4), '7'))).toBeNull()
    expect(tokens.open(parts(newId('tnt').slice(4), session, '7'))).toBeNull()
  })

  it('is no text that somebody makes up', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), text => tokens.open(text) === null))
  })
})

describe('settings', () => {
  const patch: fc.Arbitrary<Partial<TenantSettings>> = fc.record(
    {
      access_token_ttl_seconds: fc.integer({ min: 30, max: 86_400 }),
      session_ttl_seconds: fc.integer({ min: 60, max: 1_000_000 }),
      idle_ttl_seconds: fc.option(fc.integer({ min: 60, max: 1_000_000 })),
      audience: fc.option(fc.string({ minLength: 1 })),
      on_limit: fc.constantFrom('revoke_oldest', 'refuse'),
      public_refresh: fc.boolean(),
      apps: fc.dictionary(foreignId, fc.record({ session_ttl_seconds: fc.nat() }), { maxKeys: 3 }),
    },
    { requiredKeys: [] },
  )

  it('are what was said last of each, and the default of what nobody said', () => {
    fc.assert(
      fc.property(fc.array(patch, { maxLength: 5 }), patches => {
        const stored = patches.reduce<unknown>(mergeSettings, {})
        const expected = Object.assign({}, DEFAULT_SETTINGS, ...patches)
        // Through JSON, as the database keeps them.
        expect(readSettings(JSON.parse(JSON.stringify(stored)))).toEqual(expected)
      }),
    )
  })

  it('that say nothing change nothing', () => {
    fc.assert(
      fc.property(patch, given => {
        expect(mergeSettings(given, {})).toEqual(given)
      }),
    )
  })

  it('that cannot be read are the defaults', () => {
    for (const stored of [null, undefined, 7, 'x'])
      expect(readSettings(stored)).toEqual(DEFAULT_SETTINGS)
  })

  it('of an app come before those of the tenant, one by one, whatever the app is called', () => {
    fc.assert(
      fc.property(foreignId, fc.integer({ min: 60, max: 1000 }), (appId, ttl) => {
        const apps = Object.fromEntries([[appId, { session_ttl_seconds: ttl }]])
        const settings = { ...DEFAULT_SETTINGS, apps }
        expect(lifetimesOf(settings, appId)).toEqual({
          accessTokenTtlSeconds: 900,
          sessionTtlSeconds: ttl,
          idleTtlSeconds: 1_209_600,
        })
        expect(lifetimesOf({ ...settings, apps: {} }, appId).sessionTtlSeconds).toBe(2_592_000)
      }),
      {
        examples: [
          ['__proto__', 60],
          ['constructor', 60],
          ['toString', 60],
        ],
      },
    )
  })
})

describe('the Authorization header', () => {
  let sesame: TestApp
  let tenant: TestTenant
  beforeAll(async () => {
    sesame = await createTestApp()
    tenant = await sesame.tenant()
  })
  afterAll(() => sesame.close())

  it('opens with the key in its one form, and never with anything near it', async () => {
    const around = fc.constantFrom('', ' ', '"', ',', ';', '=', '.', 'Bearer ', 'x', '\u00a0')
    const schemes = fc.constantFrom('Bearer', 'bearer', 'Basic', 'Token', 'Bearer:', '', 'BearerX')
    const separators = fc.constantFrom(' ', '  ', '\t', '', '=')
    let address = 0
    await fc.assert(
      fc.asyncProperty(schemes, separators, around, around, async (scheme, gap, before, after) => {
        const authorization = `${scheme}${gap}${before}${tenant.secret}${after}`
        const response = await sesame.app.inject({
          method: 'GET',
          url: '/v1/sessions',
          headers: { authorization },
          // Each from an address of its own: failures from one are slowed down.
          remoteAddress: `198.51.${address >> 8}.${address++ & 255}`,
        })
        const isGood = authorization.replace(/^bearer +/i, '') === tenant.secret
        const expected = isGood && authorization !== tenant.secret ? 200 : 401
        expect([authorization, response.statusCode]).toEqual([authorization, expected])
      }),
      { numRuns: 300 },
    )
  })
})
