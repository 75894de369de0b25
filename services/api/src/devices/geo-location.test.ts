import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createGeoLocator, type GeoLocator } from './geo-location.ts'
import { mapOf, temporaryFolder, text, tinyMmdb } from './tiny-mmdb.ts'

const NOWHERE = { country: null, location: null }

const folder = temporaryFolder()
afterAll(() => folder.remove())

describe('with the installed database', () => {
  const warn = vi.fn()
  let geo: GeoLocator
  beforeAll(() => {
    geo = createGeoLocator({ warn })
  })
  afterAll(() => {
    geo.close()
    expect(warn).not.toHaveBeenCalled()
  })

  it.each([
    ['8.8.8.8', 'US', 'Mountain View, US'],
    ['::ffff:8.8.8.8', 'US', 'Mountain View, US'],
    ['::ffff:808:808', 'US', 'Mountain View, US'],
    ['133.11.0.1', 'JP', 'Chiyoda City, JP'],
  ])('places %s', (ipAddress, country, location) => {
    expect(geo.locate(ipAddress)).toEqual({ country, location })
  })

  it('leaves out the district of a city', () => {
    expect(geo.locate('193.99.144.80')).toEqual({ country: 'DE', location: 'Hanover, DE' })
    expect(geo.locate('2a02:8109::1')).toEqual({ country: 'DE', location: 'Berlin, DE' })
  })

  it.each([
    '127.0.0.1',
    '10.1.2.3',
    '192.168.0.1',
    '203.0.113.42',
    '::1',
    'fe80::1',
    '2001:db8::1',
  ])('places %s nowhere', ipAddress => {
    expect(geo.locate(ipAddress)).toEqual(NOWHERE)
  })

  it.each([null, '', 'unknown', '8.8.8.8:53', ' 8.8.8.8', '8.8.8', 'fe80::1%eth0'])(
    'places %j nowhere',
    garbage => {
      expect(geo.locate(garbage)).toEqual(NOWHERE)
    },
  )

  it('never throws, and answers with a country code and a short text that ends with it', () => {
    const addresses = fc.oneof(fc.ipV4(), fc.ipV6(), fc.string({ unit: 'binary' }))
    fc.assert(
      fc.property(addresses, address => {
        const { country, location } = geo.locate(address)
        if (country === null) {
          expect(location).toBeNull()
          return
        }
        expect(country).toMatch(/^[A-Z]{2}$/)
        expect(location?.endsWith(country)).toBe(true)
        expect(location?.length).toBeLessThanOrEqual(104)
        expect(location).not.toMatch(/\p{C}/u)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('with another database', () => {
  const place = (fields: Record<string, string>) => {
    const data = mapOf(Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, text(v)])))
    const databaseFiles = {
      ipv4: folder.write('4', tinyMmdb({ data })),
      ipv6: folder.write('6', tinyMmdb({ ipVersion: 6, data })),
    }
    const geo = createGeoLocator({ databaseFiles })
    const places = [geo.locate('8.8.8.8'), geo.locate('2600::1')]
    geo.close()
    expect(places[0]).toEqual(places[1])
    return places[0]
  }

  it('answers with the country where there is no city', () => {
    expect(place({ country_code: 'BV', city: '' })).toEqual({ country: 'BV', location: 'BV' })
    expect(place({ country_code: 'BV' })).toEqual({ country: 'BV', location: 'BV' })
  })

  it.each([
    'New\u0000York',
    'New\nYork',
    '\u001b[31mYork',
    'York\u202e',
    'Y'.repeat(500),
    '\ufffd',
  ])('does not pass on the city %j', city => {
    expect(place({ country_code: 'US', city })).toEqual({ country: 'US', location: 'US' })
  })

  it.each(['', 'us', 'USA', 'U\n', '??'])('knows nothing of the country %j', country => {
    expect(place({ country_code: country, city: 'York' })).toEqual(NOWHERE)
  })

  it('places a private address nowhere, even if the database claims to know it', () => {
    const databaseFiles = {
      ipv4: folder.write('4', tinyMmdb({ data: mapOf({ country_code: text('AU') }) })),
      ipv6: folder.write(
        '6',
        tinyMmdb({ ipVersion: 6, data: mapOf({ country_code: text('AU') }) }),
      ),
    }
    const geo = createGeoLocator({ databaseFiles })
    expect(geo.locate('192.168.1.1')).toEqual(NOWHERE)
    expect(geo.locate('fd00::1')).toEqual(NOWHERE)
    geo.close()
  })
})

describe('without a good database', () => {
  const good = () => tinyMmdb({ data: mapOf({ country_code: text('US') }) })

  it.each([
    ['missing', () => `${folder.write('here', good())}-not`],
    ['a folder', () => '/'],
    ['empty', () => folder.write('empty', Buffer.alloc(0))],
    ['cut short', () => folder.write('short', good().subarray(0, 60))],
    [
      'of the other kind of address',
      () => folder.write('other', tinyMmdb({ ipVersion: 6, data: text('x') })),
    ],
    ['damaged inside', () => folder.write('inside', tinyMmdb({ data: Buffer.of(0x20, 0x00) }))],
  ])('starts, answers nulls and warns once when it is %s', (_, makePath) => {
    const warn = vi.fn()
    const path = makePath()
    const geo = createGeoLocator({ databaseFiles: { ipv4: path, ipv6: `${path}-not` }, warn })
    for (const ipAddress of ['8.8.8.8', '1.1.1.1', '2600::1', '8.8.8.8']) {
      expect(geo.locate(ipAddress)).toEqual(NOWHERE)
    }
    expect(warn).toHaveBeenCalledExactlyOnceWith(expect.any(String), expect.any(Error))
    geo.close()
  })

  it('answers from the one database that is good', () => {
    const databaseFiles = { ipv4: folder.write('good', good()), ipv6: '/nowhere' }
    const geo = createGeoLocator({ databaseFiles })
    expect(geo.locate('8.8.8.8')).toEqual({ country: 'US', location: 'US' })
    geo.close()
  })

  it('answers nulls after it is closed, and closes twice', () => {
    const geo = createGeoLocator()
    geo.close()
    geo.close()
    expect(geo.locate('8.8.8.8')).toEqual(NOWHERE)
  })
})
