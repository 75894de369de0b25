/**
 * What the library does not know: programs that visit on their own, screens and consoles, and apps
 * that show pages or call an API themselves. Every pattern is a plain alternation with no repeat
 * that could backtrack, since the text is the caller's.
 */

/** The name of a bot as it gives it itself ("Googlebot", "AhrefsBot"), or null. */
export function findBot(text: string): string | null {
  const match = BOT_WORD.exec(text)
  if (match === null) return null
  let start = match.index
  const limit = Math.max(0, start - MAX_BOT_PREFIX_LENGTH)
  while (start > limit && NAME_CHARACTER.test(text.charAt(start - 1))) start--
  const name = text.slice(start, match.index + match[0].length)
  // CUBOT makes phones.
  if (/^cubot$/i.test(name)) return null
  const isBareWord = name.length === match[0].length && match[0].length <= 'crawler'.length
  const spoken = isBareWord ? (findProduct(text) ?? name) : name
  return spoken.charAt(0).toUpperCase() + spoken.slice(1)
}

/** The television, set-top box, console or headset: none of them is a desktop or a phone. */
export function findScreen(text: string): { label: string; os: string | null } | null {
  const screen = SCREENS.find(([pattern]) => pattern.test(text))
  return screen === undefined ? null : { label: screen[1], os: screen[2] }
}

/** The app whose own browser view this is, such as "Instagram". */
export function findApp(text: string): string | null {
  return APPS.find(([pattern]) => pattern.test(text))?.[1] ?? null
}

/**
 * The program that puts its own name first and is no browser: "okhttp/4.9", "curl/8.5.0",
 * "MyApp/3 CFNetwork/1410.0.3 Darwin/22.6.0".
 */
export function findProduct(text: string): string | null {
  const name = PRODUCT.exec(text)?.[1]
  if (name === undefined || NOT_A_PRODUCT.test(name)) return null
  return name.replaceAll('%20', ' ')
}

const BOT_WORD = new RegExp(
  `(?:${[
    'bot|spider|crawler|slurp|scraper|fetcher|pinger|pingdom|ia_archiver|skypeuripreview',
    'googleother|google-inspectiontool|mediapartners-google|apis-google|google-read-aloud',
    'facebookexternalhit|headlesschrome|chrome-lighthouse|phantomjs',
  ].join('|')})(?![a-z])`,
  'i',
)
const MAX_BOT_PREFIX_LENGTH = 30
const NAME_CHARACTER = /[\w-]/

const SCREENS: [pattern: RegExp, label: string, os: string | null][] = [
  [/PlayStation 5/, 'PlayStation 5', null],
  [/PlayStation 4/, 'PlayStation 4', null],
  [/PlayStation/i, 'PlayStation', null],
  [/Xbox/i, 'Xbox', null],
  [/Nintendo Switch/, 'Nintendo Switch', null],
  [/Nintendo/, 'Nintendo', null],
  [/OculusBrowser|Quest [23P]/, 'Meta Quest', 'Android'],
  [/Apple ?TV|tvOS/, 'Apple TV', 'tvOS'],
  [/\bAFT[A-Z]/, 'Fire TV', 'Fire OS'],
  [/Roku/, 'Roku', 'Roku OS'],
  [/CrKey/, 'Chromecast', null],
  [/Web0S|webOS\.TV|NetCast|LG Browser/i, 'LG TV', 'webOS'],
  [/BRAVIA/i, 'Sony TV', 'Android TV'],
  [/SMART-TV|SmartHub/, 'Samsung TV', 'Tizen'],
  [/Android TV|GoogleTV/, 'Android TV', 'Android TV'],
  [/SmartTV|Smart TV|HbbTV/i, 'Smart TV', null],
]

const APPS: [pattern: RegExp, name: string][] = [
  [/\bFBAN\/Messenger|FB_IAB\/Orca|\bMESSENGER\b/, 'Messenger'],
  [/Instagram/, 'Instagram'],
  [/\bFBA[NV]\/|\bFB_IAB\//, 'Facebook'],
  [/musical_ly|BytedanceWebview|TikTok/i, 'TikTok'],
  [/Snapchat/, 'Snapchat'],
  [/LinkedInApp/, 'LinkedIn'],
  [/Twitter for iPhone|Twitter for iPad|TwitterAndroid/, 'X'],
  [/Pinterest\//, 'Pinterest'],
  [/\bLine\/\d/, 'LINE'],
  [/KAKAOTALK/i, 'KakaoTalk'],
  [/WhatsApp\//, 'WhatsApp'],
  [/Slack_SSB|\bSlack\//, 'Slack'],
  [/\bDiscord\//, 'Discord'],
  [/\bTeams\//, 'Microsoft Teams'],
  [/Reddit\//, 'Reddit'],
  [/\bGSA\//, 'Google app'],
  [/DuckDuckGo\/|\bDdg\//, 'DuckDuckGo'],
  [/HuaweiBrowser/, 'Huawei Browser'],
  [/Ecosia/, 'Ecosia'],
  [/OculusBrowser/, 'Meta Quest Browser'],
  [/PowerShell\//, 'PowerShell'],
]

const PRODUCT = /^([A-Za-z][\w.+%-]{0,39}(?: [\w.+%-]{1,19}){0,2}?)(?:\/v?\d|$)/

/** Words that lead a user agent without naming the program. */
const NOT_A_PRODUCT = /^(?:Mozilla|Opera|Dalvik|CFNetwork|Darwin)$/i
