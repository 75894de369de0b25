import { writeFileSync } from 'node:fs'
import type { Measured, Spread } from './compare.ts'
import { type Figure, type Form, isReached } from './figures.ts'
import type { Machine } from './machine.ts'

const DOCS = new URL('../../../docs/', import.meta.url)

export interface Run {
  form: Form['name']
  at: string
  machine: Machine
  figures: Figure[]
}

/** `docs/benchmarks.md` for people and `docs/benchmarks.json` for programs. */
export function writeReport(run: Run): void {
  writeFileSync(new URL('benchmarks.json', DOCS), `${JSON.stringify(run, null, 2)}\n`)
  writeFileSync(new URL('benchmarks.md', DOCS), renderReport(run))
}

export function renderReport({ form, at, machine, figures }: Run): string {
  const { cpu, cores, memoryGb, system, node, postgres, versions, commit } = machine
  const packages = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return `# Benchmarks

Made by \`npm run bench -- ${form}\` on ${at.slice(0, 10)}, at ${commit}. The same figures are in
[benchmarks.json](benchmarks.json).

- ${cores} × ${cpu}, ${memoryGb} GB, ${system}; the load generator and Postgres share it.
- Node ${node}, Postgres ${postgres} with fsync on; ${packages.join(', ')}.

${HOW_TO_READ}

${renderTable(figures)}

## Beside each other

Medians of the same pairs: CPU time of a request, requests a second, latency.

${renderSides(figures)}
`
}

const HOW_TO_READ = `**The figure that counts is the server's CPU time per request**: user and system time of the API
process over completed requests. It holds on a noisy machine, where requests per second do not. BF is a
bare Fastify route with the same schemas that does nothing; what stands behind "+" it does too. Each
ratio is the median of interleaved pairs (ours, theirs, ours, theirs), with the least and the greatest.
Sesame runs with all that it does in production: key, scope, limits, strict input, the freshness
question, events, metrics and logs. Every answer is checked; a wrong one ends the run.`

function renderTable(figures: Figure[]): string {
  const rows = figures.map(figure => {
    const { part, baseline, value, unit, most, notes = [] } = figure
    const target =
      most === null ? '' : `${show(most, unit)}${isReached(figure) ? '' : ' **missed**'}`
    const facts = notes.length === 0 ? '' : `<br>${notes.join('<br>')}`
    return `| ${part}${facts} | ${baseline} | ${showSpread(value, unit)} | ${target} |`
  })
  return ['| part | beside | measured | at most |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

const show = (value: number, unit: Figure['unit']): string =>
  unit === 'ratio' ? value.toFixed(2) : `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`

const showSpread = ({ median, min, max }: Spread, unit: Figure['unit']): string =>
  min === max
    ? show(median, unit)
    : `**${show(median, unit)}** (${show(min, unit)} to ${show(max, unit)})`

function renderSides(figures: Figure[]): string {
  const rows = figures.flatMap(({ part, comparison }) =>
    comparison === undefined
      ? []
      : [`| ${part} | ${showSide(comparison.ours)} | ${showSide(comparison.theirs)} |`],
  )
  return ['| part | Sesame | beside it |', '| --- | --- | --- |', ...rows].join('\n')
}

export const showSide = ({ cpuUs, perSecond, p50Ms, p99Ms }: Measured): string =>
  `${cpuUs.toFixed(0)} µs, ${perSecond.toFixed(0)}/s, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`

export function renderLine(figure: Figure): string {
  const { part, value, unit, most, comparison, notes = [] } = figure
  const target =
    most === null ? '' : ` target ${show(most, unit)}${isReached(figure) ? '' : ' MISSED'}`
  const lines = [`${part}: ${showSpread(value, unit).replaceAll('*', '')}${target}`]
  if (comparison !== undefined)
    lines.push(
      `  Sesame    ${showSide(comparison.ours)}`,
      `  beside it ${showSide(comparison.theirs)}`,
    )
  return [...lines, ...notes.map(note => `  ${note}`)].join('\n')
}
