import { appendFileSync } from 'node:fs'
import { Writable } from 'node:stream'
import { inject } from 'vitest'

/** Every log line of the run goes into one file, which the run's end searches for secrets. */
export function createLogSink(): Writable {
  const path = inject('logFile')
  return new Writable({
    decodeStrings: false,
    write(line, _encoding, done) {
      appendFileSync(path, String(line))
      done()
    },
  })
}
