import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { createDataFolder } from '@sesame/db'
import type { Config } from '../shared/config.ts'
import { createMasterKey, sha256 } from '../shared/crypto.ts'
import type { ServiceSettingsStore } from './service-settings.store.ts'
import { StartError } from './start-error.ts'

/** The service's own secrets, and what this start has made because nobody had before. */
export interface Secrets {
  masterKey: Buffer
  operatorKeyHash: Buffer
  /** To be shown once. What came from the environment or an earlier start is not among it. */
  made: { masterKey: string | null; operatorKey: string | null }
  needsDemoTenant: boolean
  /** Records that all that was made has been shown; from then on no start makes it again. */
  finish(demoTenantId: string | null): Promise<void>
  /** Lets other nodes go on; after `finish` it does nothing. */
  release(): Promise<void>
}

interface SecretsOptions {
  config: Pick<Config, 'masterKey' | 'operatorKey' | 'dataDir' | 'hasDemoTenant'>
  settings: ServiceSettingsStore
}

type Known = ReadonlyMap<string, string>

const MASTER_KEY_CHECK = 'master_key_check'
const OPERATOR_KEY_HASH = 'operator_key_hash'
const DEMO_TENANT = 'demo_tenant'

/**
 * Finds or makes the master key and the operator key. While something is missing this node holds a
 * lock until `finish`, so that of several nodes on an empty database one makes and shows it all, and
 * one that is killed before it could show its secrets leaves the work to the next.
 *
 * @throws StartError when the database was made with another master key.
 */
export async function prepareSecrets({ config, settings }: SecretsOptions): Promise<Secrets> {
  let known = await settings.list()
  let unlock = async () => {}
  if (isAnythingMissing(known, config)) {
    unlock = await settings.lockFirstStart()
    known = await settings.list()
  }
  try {
    return await settle(known, unlock, { config, settings })
  } catch (error) {
    await unlock()
    throw error
  }
}

/** Where the master key is kept when the environment gives none. */
export function masterKeyPath(dataDir: string): string {
  return join(dataDir, 'master-key')
}

async function settle(
  known: Known,
  unlock: () => Promise<void>,
  { config, settings }: SecretsOptions,
): Promise<Secrets> {
  const master = settleMasterKey(known, config)
  await settings.insert(MASTER_KEY_CHECK, checkOf(master.key))
  const operator = settleOperatorKey(known, config)
  return {
    masterKey: master.key,
    operatorKeyHash: operator.hash,
    made: { masterKey: master.made, operatorKey: operator.made },
    needsDemoTenant: config.hasDemoTenant && !known.has(DEMO_TENANT),
    async finish(demoTenantId) {
      if (operator.made !== null)
        await settings.insert(OPERATOR_KEY_HASH, operator.hash.toString('base64url'))
      if (demoTenantId !== null) await settings.insert(DEMO_TENANT, demoTenantId)
      await unlock()
    },
    release: unlock,
  }
}

function isAnythingMissing(known: Known, config: SecretsOptions['config']): boolean {
  const hasOperatorKey = config.operatorKey !== null || known.has(OPERATOR_KEY_HASH)
  const hasDemoTenant = !config.hasDemoTenant || known.has(DEMO_TENANT)
  return !(known.has(MASTER_KEY_CHECK) && hasOperatorKey && hasDemoTenant)
}

function settleMasterKey(known: Known, { masterKey, dataDir }: SecretsOptions['config']) {
  const path = masterKeyPath(dataDir)
  const given = masterKey ?? readMasterKey(path)
  const check = known.get(MASTER_KEY_CHECK)
  if (given !== null) {
    if (check === undefined || check === checkOf(given)) return { key: given, made: null }
    const source = masterKey === null ? path : 'SESAME_MASTER_KEY'
    throw new StartError(
      `the master key in ${source} is not the one that this database was made with: give that one in SESAME_MASTER_KEY`,
    )
  }
  if (check !== undefined) {
    throw new StartError(
      `this database was made with a master key that is not here: give it in SESAME_MASTER_KEY, or put back ${path}`,
    )
  }
  const key = randomBytes(32)
  const made = key.toString('base64url')
  keepMasterKey(dataDir, path, made)
  return { key, made }
}

function settleOperatorKey(known: Known, { operatorKey }: SecretsOptions['config']) {
  if (operatorKey !== null) return { hash: sha256(operatorKey), made: null }
  const stored = known.get(OPERATOR_KEY_HASH)
  if (stored !== undefined) return { hash: Buffer.from(stored, 'base64url'), made: null }
  const made = `ok_${randomBytes(32).toString('base64url')}`
  return { hash: sha256(made), made }
}

/** Proves that a master key is the same one, and tells nothing about it. */
function checkOf(masterKey: Buffer): string {
  return createMasterKey(masterKey).mac('master-key-check', 'sesame').toString('base64url')
}

function readMasterKey(path: string): Buffer | null {
  if (!existsSync(path)) return null
  const key = Buffer.from(readFileSync(path, 'utf8').trim(), 'base64url')
  if (key.length === 32) return key
  throw new StartError(`${path} does not hold a master key: put back the file from your backup`)
}

/** On disk before the first use: what is sealed with a lost key is lost. */
function keepMasterKey(dataDir: string, path: string, text: string): void {
  createDataFolder(dataDir)
  const temporary = `${path}.${randomBytes(4).toString('hex')}`
  const file = openSync(temporary, 'wx', 0o600)
  writeSync(file, `${text}\n`)
  fsyncSync(file)
  closeSync(file)
  renameSync(temporary, path)
  const folder = openSync(dataDir, 'r')
  fsyncSync(folder)
  closeSync(folder)
}
