import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { DatabaseUnreachableError } from './errors.ts'
import { errorCode } from './processes.ts'

const CONNECT_TIMEOUT_MS = 5_000
const STARTUP_ATTEMPTS = 60
const STARTING_UP = '57P03'

/** Runs `work` on a connection of its own. Waits for a server that is still starting up. */
export async function withClient<T>(
  databaseUrl: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = await connect(databaseUrl)
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

async function connect(databaseUrl: string): Promise<pg.Client> {
  for (let attempt = 1; ; attempt++) {
    const client = new pg.Client({
      connectionString: databaseUrl,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    })
    // A connection that breaks later fails the query under way; without this it would end us.
    client.on('error', () => {})
    try {
      await client.connect()
      return client
    } catch (error) {
      await client.end().catch(() => {})
      if (errorCode(error) !== STARTING_UP || attempt === STARTUP_ATTEMPTS) {
        throw new DatabaseUnreachableError(`database unreachable: ${reason(error, client)}`)
      }
    }
    await sleep(500)
  }
}

function reason(error: unknown, { host, port, database }: pg.Client): string {
  // Node tries every address of a name and then reports a bundle without a message of its own.
  const first = error instanceof AggregateError ? error.errors[0] : error
  const message = first instanceof Error ? first.message : String(first)
  return `${message.split('\n')[0]} (database ${database} at ${host}:${port})`
}
