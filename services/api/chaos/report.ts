import { explainViolation } from './explain.ts'
import type { Operation } from './history.ts'
import type { ChaosResult } from './run.ts'

const SHOWN = 10

/** What happened, for people; violations first. */
export function renderReport(result: ChaosResult): string {
  const { history, judgement, availability, played, hasRedis, errorLog } = result
  const { staleAccepts, wrongRefusals, refusedRevokes, lostCreates, failures } = judgement
  const rounds = [...played.acknowledged.values()].reduce((sum, count) => sum + count, 0)
  const count = (kind: Operation['kind']) =>
    history.operations.filter(operation => operation.kind === kind).length
  return [
    `accepted after a revoke    ${staleAccepts.length}`,
    ...staleAccepts.slice(0, SHOWN).flatMap(stale => explainViolation(stale, history)),
    `refused, never revoked     ${wrongRefusals.length}`,
    ...wrongRefusals.slice(0, SHOWN).flatMap(wrong => explainViolation(wrong, history)),
    `revokes refused            ${refusedRevokes.length}`,
    ...refusedRevokes.slice(0, SHOWN).flatMap(refused => explainViolation(refused, history)),
    `acknowledged creates lost  ${lostCreates.length}`,
    ...lostCreates.slice(0, SHOWN).map(id => `  ${id}`),
    '',
    `rounds     ${rounds} with a revoke acknowledged, ${played.cutShort} cut short by a fault`,
    ...[...played.acknowledged].map(([name, times]) => `  ${name.padEnd(22)} ${times}`),
    `calls      ${count('create')} creates, ${count('verify')} verifies, ` +
      `${count('refresh')} refreshes, ${count('revoke')} revokes`,
    `answered   ${(availability.answered * 100).toFixed(2)} % of the verifies`,
    `unanswered ${failures.inFaults} in faults of nodes or Postgres, ` +
      `${failures.outside.length} of ${judgement.callsOutside} outside`,
    ...tally(failures.outside.map(({ kind, detail }) => `${kind}: ${detail}`)),
    `faults     ${history.faults.length}${hasRedis ? '' : ', none of Redis: no redis-server here'}`,
    ...[...availability.outages].map(
      ([kind, { times, longestMs, longestOfStruckMs }]) =>
        `  ${kind.padEnd(26)} ${times} times, longest outage ${seconds(longestMs)}` +
        (longestOfStruckMs === null ? '' : `, of the node itself ${seconds(longestOfStruckMs)}`),
    ),
    `errors in the nodes' logs  ${errorLog.length}`,
    ...tally(errorLog.map(messageOf)),
    '',
    judgement.isSound ? 'Every promise was kept.' : 'PROMISES WERE BROKEN.',
  ].join('\n')
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(2)} s`

function tally(lines: readonly string[]): string[] {
  const groups = [...Map.groupBy(lines, line => line)].map(([line, { length }]) => ({
    line,
    length,
  }))
  return groups
    .toSorted((a, b) => b.length - a.length)
    .slice(0, SHOWN)
    .map(({ line, length }) => `  ${length} × ${line}`)
}

function messageOf(line: string): string {
  try {
    const { msg, err } = JSON.parse(line)
    return err?.message === undefined ? String(msg) : `${msg}: ${err.message}`.slice(0, 160)
  } catch {
    return line.slice(0, 160)
  }
}
