import { type Figure, FORMS, type Form } from './figures.ts'
import { describeMachine } from './machine.ts'
import { PARTS } from './parts.ts'
import { renderLine, writeReport } from './report.ts'
import { createWorld } from './world.ts'

/**
 * `npm run bench`: what Sesame costs beside what a user would otherwise pick, in one run.
 *
 *     npm run bench              the quick form, under two minutes
 *     npm run bench -- full      every part, under twenty-five minutes
 *     npm run bench -- verify    one part or several, by name; with "full", in the full form
 *
 * The quick and the full form write docs/benchmarks.md and docs/benchmarks.json; single parts do not.
 */
const words = process.argv.slice(2)
const form: Form = words.includes('full') ? FORMS.full : FORMS.quick
const names = words.filter(word => !(word in FORMS))
const unknown = names.filter(name => !PARTS.some(part => part.name === name))
if (unknown.length > 0) {
  const known = PARTS.map(part => part.name).join(', ')
  console.error(`There is no part ${unknown.join(', ')}. There are: ${known}; and quick, full.`)
  process.exit(2)
}

const chosen = PARTS.filter(part =>
  names.length > 0 ? names.includes(part.name) : form.name === 'full' || part.isQuick,
)
const began = performance.now()
const world = await createWorld()
try {
  const machine = await describeMachine(world)
  console.log(`${machine.cores} × ${machine.cpu}, Node ${machine.node}, ${form.name}\n`)
  const figures: Figure[] = []
  for (const part of chosen) {
    const made = await part.run(world, form)
    for (const figure of made) console.log(renderLine(figure))
    figures.push(...made)
  }
  const run = { form: form.name, at: new Date().toISOString(), machine, figures }
  if (names.length === 0) writeReport(run)
  console.log(`\n${((performance.now() - began) / 1000).toFixed(0)} s`)
} finally {
  await world.close()
}
