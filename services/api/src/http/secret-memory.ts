import { type PresentedSecret, readSecret } from '../api-keys/api-key-secret.ts'

/** What was read from the secrets that open connections brought. */
export interface SecretMemory {
  read(connection: object, secret: string): PresentedSecret
  /** Null where the connection has not brought this secret before. */
  recall(connection: object, secret: string): PresentedSecret | null
}

/**
 * A backend brings the same secret with every request of a connection, and to hash it twice is a
 * tenth of a verify. So the last one is kept with its connection, and goes with it. A secret is only
 * ever compared with what the same connection brought before, so the time that takes tells nobody
 * anything; and whether it is good is asked anew each time.
 */
export function createSecretMemory(): SecretMemory {
  const lastOf = new WeakMap<object, { secret: string; presented: PresentedSecret }>()
  const memory: SecretMemory = {
    recall(connection, secret) {
      const last = lastOf.get(connection)
      return last?.secret === secret ? last.presented : null
    },
    read(connection, secret) {
      const known = memory.recall(connection, secret)
      if (known !== null) return known
      const presented = readSecret(secret)
      lastOf.set(connection, { secret, presented })
      return presented
    },
  }
  return memory
}
