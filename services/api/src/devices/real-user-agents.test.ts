import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { describeUserAgent } from './user-agent.ts'

// A line: name, type, OS, browser ("-" for null) and the user agent, with tabs between.
const lines = readFileSync(new URL('real-user-agents.tsv', import.meta.url), 'utf8')
  .split('\n')
  .filter(line => line !== '' && !line.startsWith('#'))
  .map(line => line.split('\t'))

it.each(lines)('sees %s (%s, %s, %s) in %s', (name, type, os, browser, userAgent = '') => {
  const {
    name: seenName,
    type: seenType,
    os: seenOs,
    browser: seenBrowser,
  } = describeUserAgent(userAgent)
  const seen = [seenName, seenType, seenOs, seenBrowser].map(text => text ?? '-')
  expect(seen).toEqual([name, type, os, browser])
})
