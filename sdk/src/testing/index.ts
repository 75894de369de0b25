export type { AccessTokenOptions } from './access-token.ts'
export {
  createHostileTokens,
  type HostileToken,
  type HostileTokenSource,
  type SigningJwk,
} from './hostile-tokens.ts'
export type { RevokeAllFilters } from './revocation-feed.ts'
export { createTestTenant, type TestTenant, type TestTenantOptions } from './test-tenant.ts'
