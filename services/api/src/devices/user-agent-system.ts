export interface System {
  os: string | null
  /** What people call the thing in their hands: the iPhone rather than iOS. */
  label: string | null
}

/**
 * The operating system, in the words that people use.
 * @param name what the library calls it
 */
export function systemOf(text: string, name: string | undefined): System {
  if (name === 'iOS') return appleSystemOf(text)
  const unlisted = UNLISTED.find(([pattern]) => pattern.test(text))?.[1]
  const os = unlisted ?? LISTED.get(name ?? '') ?? null
  return { os, label: os }
}

export const APPLE_SYSTEMS = new Set(['iOS', 'iPadOS', 'macOS'])

export const PHONE_SYSTEMS = new Set([
  'iOS',
  'KaiOS',
  'Windows Phone',
  'BlackBerry',
  'Symbian',
  'Bada',
])

export const DESKTOP_SYSTEMS = new Set([
  'Windows',
  'macOS',
  'Linux',
  'ChromeOS',
  'FreeBSD',
  'OpenBSD',
])

/** The version of iOS that took the name iPadOS on an iPad. */
const FIRST_IPADOS = 13

// Safari on an iPad says that it is a Mac unless its user asks for mobile pages. Nothing here can
// tell; Firefox gives itself away.
function appleSystemOf(text: string): System {
  if (/iPod/.test(text)) return { os: 'iOS', label: 'iPod' }
  if (!/iPad|Macintosh/.test(text)) return { os: 'iOS', label: 'iPhone' }
  const version = Number(/OS (\d{1,3})[_.]/.exec(text)?.[1] ?? FIRST_IPADOS)
  const isMacintosh = /Macintosh/.test(text)
  return { os: version < FIRST_IPADOS && !isMacintosh ? 'iOS' : 'iPadOS', label: 'iPad' }
}

/** The library's name and ours. Its other names are of devices, or of nothing that is in use. */
const LISTED = new Map([
  ['Windows', 'Windows'],
  ['macOS', 'macOS'],
  ['Linux', 'Linux'],
  ['Chrome OS', 'ChromeOS'],
  ['Android', 'Android'],
  ['HarmonyOS', 'HarmonyOS'],
  ['Windows Phone', 'Windows Phone'],
  ['BlackBerry', 'BlackBerry'],
  ['Tizen', 'Tizen'],
  ['WebOS', 'webOS'],
  ['Bada', 'Bada'],
])

const UNLISTED: [pattern: RegExp, os: string][] = [
  [/KAIOS\//, 'KaiOS'],
  [/FreeBSD/, 'FreeBSD'],
  [/OpenBSD/, 'OpenBSD'],
  [/SymbianOS|Series60|S60;/, 'Symbian'],
]
