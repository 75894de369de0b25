import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ConfigError, type Environment, loadConfig } from './config.ts'

const MASTER_KEY = Buffer.alloc(32, 7).toString('base64url')

describe('with nothing set', () => {
  test('is one node on this machine with an embedded database', () => {
    expect(loadConfig({})).toEqual({
      host: '127.0.0.1',
      port: 3000,
      publicUrl: 'http://127.0.0.1:3000',
      databaseUrl: null,
      databasePoolSize: 10,
      redisUrl: null,
      dataDir: resolve('.sesame'),
      operatorKey: null,
      masterKey: null,
      hasDemoTenant: true,
      trustProxy: false,
      runsSweeps: true,
      logLevel: 'info',
      metricsHost: '127.0.0.1',
      metricsPort: 9464,
      isMetricsPortRequired: false,
      shutdownDelayMs: 0,
      shutdownGraceMs: 5000,
    })
  })

  test('takes an empty value for none', () => {
    expect(loadConfig({ PORT: '', SESAME_MASTER_KEY: '', TRUST_PROXY: '' })).toEqual(loadConfig({}))
  })

  test('cannot be changed', () => {
    expect(Object.isFrozen(loadConfig({}))).toBe(true)
  })
})

describe('accepts', () => {
  test.each<[string, string, Partial<ReturnType<typeof loadConfig>>]>([
    ['PORT', '65535', { port: 65_535, publicUrl: 'http://127.0.0.1:65535' }],
    ['HOST', '::1', { host: '::1', publicUrl: 'http://[::1]:3000' }],
    ['PUBLIC_URL', 'https://auth.example.com/', { publicUrl: 'https://auth.example.com' }],
    ['PUBLIC_URL', 'https://x.example/auth//', { publicUrl: 'https://x.example/auth' }],
    ['DATABASE_URL', 'postgres://a:b@h/db', { databaseUrl: 'postgres://a:b@h/db' }],
    ['REDIS_URL', 'rediss://h:1', { redisUrl: 'rediss://h:1' }],
    ['SESAME_MASTER_KEY', MASTER_KEY, { masterKey: Buffer.alloc(32, 7) }],
    ['SESAME_OPERATOR_KEY', `ok_${'a'.repeat(32)}`, { operatorKey: `ok_${'a'.repeat(32)}` }],
    ['SESAME_DEMO_TENANT', 'false', { hasDemoTenant: false }],
    ['TRUST_PROXY', 'false', { trustProxy: false }],
    ['TRUST_PROXY', '2', { trustProxy: 2 }],
    ['TRUST_PROXY', '10.0.0.0/8, ::1', { trustProxy: ['10.0.0.0/8', '::1'] }],
    ['METRICS_PORT', 'off', { metricsPort: null, isMetricsPortRequired: true }],
    ['METRICS_PORT', '0', { metricsPort: null, isMetricsPortRequired: true }],
    ['WORKER', 'in_process', { runsSweeps: true }],
    ['WORKER', 'separate', { runsSweeps: false }],
    ['LOG_LEVEL', 'silent', { logLevel: 'silent' }],
    ['SHUTDOWN_DELAY_SECONDS', '10', { shutdownDelayMs: 10_000 }],
    ['SHUTDOWN_GRACE_SECONDS', '30', { shutdownGraceMs: 30_000 }],
  ])('%s=%s', (name, value, expected) => {
    expect(loadConfig({ [name]: value })).toMatchObject(expected)
  })

  test('what Kubernetes says about services of this name', () => {
    const names = ['SESAME_SERVICE_HOST', 'SESAME_SERVICE_PORT_HTTP', 'SESAME_PORT']
    const more = ['SESAME_API_PORT_3000_TCP', 'SESAME_PORT_3000_TCP_ADDR']
    const env = Object.fromEntries([...names, ...more].map(name => [name, 'x']))
    expect(loadConfig(env)).toEqual(loadConfig({}))
  })
})

describe('refuses', () => {
  test.each([
    ['PORT', '0'],
    ['PORT', '65536'],
    ['PORT', '3e3'],
    ['PORT', ' 3000'],
    ['HOST', 'http://here'],
    ['HOST', 'a b'],
    ['PUBLIC_URL', 'auth.example.com'],
    ['PUBLIC_URL', 'ftp://auth.example.com'],
    ['PUBLIC_URL', 'https://me:pw@auth.example.com'],
    ['PUBLIC_URL', 'https://auth.example.com/?a'],
    ['DATABASE_URL', 'mysql://h/db'],
    ['DATABASE_URL', 'nonsense'],
    ['DATABASE_POOL_SIZE', '1'],
    ['REDIS_URL', 'http://h'],
    ['SESAME_DEMO_TENANT', 'maybe'],
    ['SESAME_MASTER_KEY', 'short'],
    ['SESAME_MASTER_KEY', `${MASTER_KEY}=`],
    ['SESAME_MASTER_KEY', `${MASTER_KEY.slice(0, -1)}!`],
    ['SESAME_OPERATOR_KEY', 'a'.repeat(40)],
    ['SESAME_OPERATOR_KEY', `ok_${'a'.repeat(31)}`],
    ['SESAME_OPERATOR_KEY', `ok_${'a'.repeat(32)}/`],
    ['TRUST_PROXY', 'true'],
    ['TRUST_PROXY', '-1'],
    ['TRUST_PROXY', '10.0.0.0/33'],
    ['TRUST_PROXY', '10.0.0.0/8/8'],
    ['TRUST_PROXY', '0.0.0.0/0'],
    ['TRUST_PROXY', '10.0.0.1,'],
    ['TRUST_PROXY', 'example.com'],
    ['METRICS_PORT', 'no'],
    ['WORKER', 'off'],
    ['LOG_LEVEL', 'loud'],
    ['SHUTDOWN_GRACE_SECONDS', '1.5'],
  ])('%s=%s in one line that begins with its name', (name, value) => {
    const problems = problemsOf({ [name]: value })
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(new RegExp(`^${name} must be [^\\n]+$`))
  })

  test('every wrong setting at once, and misspelt ones', () => {
    const problems = problemsOf({ PORT: 'x', LOG_LEVEL: 'x', SESAME_MASTERKEY: MASTER_KEY })
    expect(problems.map(line => line.split(' must')[0]?.split(':')[0])).toEqual([
      'PORT',
      'LOG_LEVEL',
      'unknown setting SESAME_MASTERKEY',
    ])
  })

  test('without repeating a secret', () => {
    const secret = 'hush-hush-hush'
    const message = problemsOf({
      SESAME_MASTER_KEY: secret,
      SESAME_OPERATOR_KEY: secret,
      SESAME_UNKNOWN: secret,
      DATABASE_URL: `mysql://me:${secret}@h/db`,
      REDIS_URL: `http://:${secret}@h`,
      PUBLIC_URL: `https://me:${secret}@h`,
    })
    expect(message).toHaveLength(6)
    expect(message.join('\n')).not.toContain('hush')
  })

  test('a value with line breaks or without end in one short line', () => {
    const [line] = problemsOf({ PORT: `1\n\u001b[31m${'9'.repeat(10_000)}` })
    expect(line).toMatch(/^[\x20-\x7e…]{1,150}$/)
  })
})

function problemsOf(env: Environment): readonly string[] {
  try {
    loadConfig(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}
