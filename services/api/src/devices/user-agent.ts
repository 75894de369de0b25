import { getParser } from 'bowser'
import { findBot, findScreen } from './known-agents.ts'
import { isListedBot, programOf } from './user-agent-program.ts'
import { DESKTOP_SYSTEMS, PHONE_SYSTEMS, systemOf } from './user-agent-system.ts'

export type DeviceType = 'desktop' | 'mobile' | 'tablet' | 'bot' | 'other'

export interface UserAgentDescription {
  /** What a person recognises: "Chrome on Windows", "Safari on iPhone", "Googlebot". */
  name: string | null
  type: DeviceType
  os: string | null
  browser: string | null
}

/**
 * What a user agent says of itself: a courtesy to people who look at their sessions, never proof.
 * Whatever the caller sends, the texts are of fixed lists or short runs of printable ASCII.
 */
export function describeUserAgent(userAgent: string | null): UserAgentDescription {
  if (userAgent === null || userAgent === '') return NOTHING
  if (userAgent.length > MAX_PARSED_LENGTH) return parse(userAgent.slice(0, MAX_PARSED_LENGTH))
  const known = recent.get(userAgent)
  if (known !== undefined) return known
  const description = Object.freeze(parse(userAgent))
  if (recent.size >= MAX_RECENT) forgetOldest()
  recent.set(userAgent, description)
  return description
}

/** Real ones end before it. What lies behind it is never matched, so that it costs nothing. */
const MAX_PARSED_LENGTH = 512

// Most callers have one of a few hundred user agents. Those that were cut are not kept: V8 would
// keep the whole string for its first part.
const MAX_RECENT = 500
const recent = new Map<string, UserAgentDescription>()

const NOTHING: UserAgentDescription = Object.freeze({
  name: null,
  type: 'other',
  os: null,
  browser: null,
})

function forgetOldest(): void {
  const oldest = recent.keys().next()
  if (oldest.done !== true) recent.delete(oldest.value)
}

function parse(text: string): UserAgentDescription {
  const library = getParser(text, true)
  const browserName = library.getBrowserName()
  const bot = botOf(text, browserName)
  // What a bot claims to run on is there to be served the right page; it is nobody's device.
  if (bot !== null) return { ...NOTHING, name: bot, type: 'bot' }
  const system = systemOf(text, library.getOSName())
  const program = programOf(text, browserName, system.os)
  const screen = findScreen(text)
  if (screen !== null) {
    const browser = program.isEngine ? null : program.browser
    return { name: nameOf(browser, screen.label), type: 'other', os: screen.os, browser }
  }
  const type = typeOf(text, system.os, program.showsPages)
  return { name: nameOf(program.name, system.label), type, os: system.os, browser: program.browser }
}

function botOf(text: string, browserName: string): string | null {
  const listed = isListedBot(browserName) ? browserName : null
  // The library has names of its own for some, "BingCrawler": better the one that the bot gives.
  const isOwnName = listed !== null && text.toLowerCase().includes(listed.toLowerCase())
  return isOwnName ? listed : (findBot(text) ?? listed)
}

function nameOf(program: string | null, platform: string | null): string | null {
  if (program === null || platform === null || program === platform) return program ?? platform
  return `${program} on ${platform}`
}

function typeOf(text: string, os: string | null, showsPages: boolean): DeviceType {
  if (os === 'iPadOS' || /iPad|PlayBook|tablet(?! pc)/i.test(text)) return 'tablet'
  if (os !== null && PHONE_SYSTEMS.has(os)) return 'mobile'
  if (/\bMobi|Opera Mini|Phone/.test(text)) return 'mobile'
  // Browsers leave "Mobile" out on an Android tablet; other programs never had it in.
  if (os === 'Android' || os === 'HarmonyOS') return showsPages ? 'tablet' : 'mobile'
  return os !== null && DESKTOP_SYSTEMS.has(os) && showsPages ? 'desktop' : 'other'
}
