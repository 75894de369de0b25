import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hash,
  hkdfSync,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto'

/**
 * What the master key protects, one derived key a purpose (HKDF-SHA-256, RFC 5869), so that no
 * ciphertext or tag of one purpose can be passed off as one of another.
 */
export interface MasterKey {
  /** AES-256-GCM. `context` is authenticated and must be the same when opening. */
  seal(purpose: string, context: string, plain: Buffer): Buffer
  /** Throws when the ciphertext was altered, moved to another context or made by another key. */
  open(purpose: string, context: string, sealed: Buffer): Buffer
  /** HMAC-SHA-256 over `data` with the key of this purpose. */
  mac(purpose: string, data: string | Buffer): Buffer
}

const FORMAT_VERSION = 1
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** @param masterKey 32 bytes. */
export function createMasterKey(masterKey: Buffer): MasterKey {
  // As key objects: to make one of bytes costs four times what the HMAC does.
  const derived = new Map<string, KeyObject>()
  const keyFor = (purpose: string): KeyObject => {
    let key = derived.get(purpose)
    if (key === undefined) {
      const bytes = hkdfSync('sha256', masterKey, '', `sesame/${purpose}`, 32)
      key = createSecretKey(Buffer.from(bytes))
      derived.set(purpose, key)
    }
    return key
  }
  return {
    seal(purpose, context, plain) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', keyFor(purpose), nonce)
      cipher.setAAD(Buffer.from(context))
      const body = Buffer.concat([cipher.update(plain), cipher.final()])
      return Buffer.concat([Buffer.of(FORMAT_VERSION), nonce, cipher.getAuthTag(), body])
    },
    open(purpose, context, sealed) {
      if (sealed.length < 1 + NONCE_BYTES + TAG_BYTES || sealed[0] !== FORMAT_VERSION)
        throw new Error('sealed value has an unknown form')
      const nonce = sealed.subarray(1, 1 + NONCE_BYTES)
      const tag = sealed.subarray(1 + NONCE_BYTES, 1 + NONCE_BYTES + TAG_BYTES)
      const decipher = createDecipheriv('aes-256-gcm', keyFor(purpose), nonce, {
        authTagLength: TAG_BYTES,
      })
      decipher.setAAD(Buffer.from(context))
      decipher.setAuthTag(tag)
      const body = sealed.subarray(1 + NONCE_BYTES + TAG_BYTES)
      return Buffer.concat([decipher.update(body), decipher.final()])
    },
    mac: (purpose, data) => createHmac('sha256', keyFor(purpose)).update(data).digest(),
  }
}

export const sha256 = (data: string): Buffer => hash('sha256', data, 'buffer')

/** Compares in a time that does not depend on where the two differ. */
export function equalInConstantTime(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}
