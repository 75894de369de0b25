import { BROWSER_MAP } from 'bowser'
import { findApp, findProduct } from './known-agents.ts'
import { APPLE_SYSTEMS } from './user-agent-system.ts'

export interface Program {
  name: string | null
  /** Null for what shows no pages, and where an app shows them without saying which it is. */
  browser: string | null
  /** False for an SDK, a command, an app that calls an API itself. */
  showsPages: boolean
  /** Whether the browser may be no more than the engine of a television or a console. */
  isEngine: boolean
}

/** @param browserName what the library calls it, which may be made up out of the text */
export function programOf(text: string, browserName: string, os: string | null): Program {
  const showsPages = /^(?:Mozilla|Opera|UCWEB)\//i.test(text)
  const app = findApp(text)
  if (app !== null)
    return { name: app, browser: showsPages ? app : null, showsPages, isEngine: false }
  if (!showsPages) {
    const name = /^Dalvik\//.test(text) ? 'App' : findProduct(text)
    return { name, browser: null, showsPages, isEngine: false }
  }
  if (ENGINES.has(browserName) && isEmbedded(text, os))
    return { name: 'App', browser: null, showsPages, isEngine: true }
  const browser = browserOf(text, browserName, os)
  return { name: browser, browser, showsPages, isEngine: ENGINES.has(browserName) }
}

export function isListedBot(browserName: string): boolean {
  return BOTS.has(browserName)
}

/** A page inside of an app that does not say which: WebView, WKWebView, Electron. */
function isEmbedded(text: string, os: string | null): boolean {
  if (/; wv\)|Electron\//.test(text)) return true
  const isAppleWebKit = os !== null && APPLE_SYSTEMS.has(os) && /AppleWebKit\//.test(text)
  return isAppleWebKit && !/Safari|Version\/|Opera|OPT\//.test(text)
}

function browserOf(text: string, browserName: string, os: string | null): string | null {
  if (!BROWSERS.has(browserName)) return null
  // The library calls everything with WebKit in it Safari.
  if (browserName === 'Safari' && !isSafari(text, os)) return null
  return RENAMED.get(browserName) ?? browserName
}

function isSafari(text: string, os: string | null): boolean {
  if (os === null) return false
  return APPLE_SYSTEMS.has(os) || (os === 'Windows' && /Version\//.test(text))
}

/** Names that stand for what is under the hood as often as for a browser. */
const ENGINES = new Set(['Safari', 'Chrome', 'Chromium', 'Android Browser', 'Electron'])

const BOT_NAME = /bot$|crawler$|spider$|slurp$|-user$|^meta-|^facebookexternalhit$/i
const BOTS = new Set(Object.values(BROWSER_MAP).filter(name => BOT_NAME.test(name)))

/** In the library's list of browsers, but devices, systems, bots, or nothing at all. */
const NOT_BROWSERS = new Set([
  ...BOTS,
  'Bada',
  'BlackBerry',
  'Generic',
  'PhantomJS',
  'PlayStation 4',
  'Roku',
  'Tizen',
  'WebOS Browser',
])
const BROWSERS = new Set(Object.values(BROWSER_MAP).filter(name => !NOT_BROWSERS.has(name)))

const RENAMED = new Map([
  ['Microsoft Edge', 'Edge'],
  ['Samsung Internet for Android', 'Samsung Internet'],
  ['NAVER Whale Browser', 'Whale'],
  ['Amazon Silk', 'Silk'],
  ['Miui', 'Mi Browser'],
  ['Focus', 'Firefox Focus'],
  ['Google Search', 'Google app'],
  ['Sailfish', 'Sailfish Browser'],
])
