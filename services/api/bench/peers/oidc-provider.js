import { createServer } from 'node:http'
import { Provider } from 'oidc-provider'
import { announce, count } from './ready.js'

/**
 * oidc-provider with opaque tokens: introspection (RFC 7662) and the refresh grant. Its store is a map
 * in memory, which is the least that any store of it can cost.
 */
const rows = new Map()
const byGrant = new Map()
class InMemory {
  constructor(model) {
    this.model = model
  }
  key(id) {
    return `${this.model}:${id}`
  }
  async upsert(id, payload) {
    rows.set(this.key(id), payload)
    if (payload.grantId === undefined) return
    const ids = byGrant.get(payload.grantId) ?? new Set()
    byGrant.set(payload.grantId, ids.add(this.key(id)))
  }
  async find(id) {
    return rows.get(this.key(id))
  }
  async findByUid() {}
  async findByUserCode() {}
  async consume(id) {
    rows.get(this.key(id)).consumed = Math.floor(Date.now() / 1000)
  }
  async destroy(id) {
    rows.delete(this.key(id))
  }
  async revokeByGrantId(grantId) {
    for (const key of byGrant.get(grantId) ?? []) rows.delete(key)
    byGrant.delete(grantId)
  }
}

const provider = new Provider('http://127.0.0.1', {
  adapter: InMemory,
  clients: [
    {
      client_id: 'bench',
      client_secret: 'bench-secret',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: ['https://app.example.com/callback'],
      scope: 'offline_access',
    },
  ],
  features: {
    devInteractions: { enabled: false },
    introspection: { enabled: true, allowedPolicy: () => true },
  },
  findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  rotateRefreshToken: true,
  ttl: { AccessToken: 900, RefreshToken: 86_400, Grant: 86_400 },
})

const client = await provider.Client.find('bench')
const signIns = []
for (let n = 0; n < count; n++) {
  const accountId = `user-${n}`
  const grant = new provider.Grant({ accountId, clientId: 'bench' })
  grant.addOIDCScope('offline_access')
  const grantId = await grant.save()
  const facts = { accountId, client, grantId, gty: 'authorization_code', scope: 'offline_access' }
  const accessToken = await new provider.AccessToken(facts).save()
  const refreshToken = await new provider.RefreshToken({
    ...facts,
    authTime: Math.floor(Date.now() / 1000),
  }).save()
  signIns.push({ accessToken, refreshToken, userId: accountId })
}
announce(createServer(provider.callback()), signIns)
