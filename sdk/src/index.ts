export type { Page, Pages } from './client/pages.ts'
export type { CreateOptions, RequestOptions } from './client/request-options.ts'
export {
  ApiError,
  AuthenticationError,
  BadRequestError,
  ConflictError,
  ConnectionError,
  type FieldError,
  InvalidResponseError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
  ServerError,
  SesameError,
  TimeoutError,
  VerifierUnavailableError,
} from './errors.ts'
export type {
  ApiKey,
  ApiKeyWithSecret,
  CreateApiKeyParams,
  CreateSessionParams,
  CreateTenantParams,
  CreateTenantResult,
  Erasure,
  Event,
  ListApiKeysParams,
  ListEventsParams,
  ListRevocationsParams,
  ListSessionsParams,
  ListTenantsParams,
  RefreshSessionParams,
  Revocation,
  RevokeSessionParams,
  RevokeSessionsResult,
  RevokeSigningKeyParams,
  RotateApiKeyParams,
  Session,
  SessionTokens,
  SigningKey,
  Tenant,
  TenantSettings,
  UpdateSessionParams,
  UpdateTenantParams,
} from './generated/model.ts'
export type { ApiKeys } from './resources/api-keys.ts'
export type { Events } from './resources/events.ts'
export type { RevocationEvent } from './resources/revocation-events.ts'
export type { RevocationPage, Revocations } from './resources/revocations.ts'
export type { RevokeAllParams } from './resources/revoke-all.ts'
export type { Sessions } from './resources/sessions.ts'
export type { SigningKeys } from './resources/signing-keys.ts'
export type { Tenants } from './resources/tenants.ts'
export type { TokenVerification } from './resources/token-verification.ts'
export type { EraseUserParams, Users } from './resources/users.ts'
export { Sesame, type SesameOptions } from './sesame.ts'
export type {
  InvalidReason,
  TokenInvalidReason,
  Verification,
  VerifiedSession,
} from './verifier/verification.ts'
export {
  createVerifier,
  type Verifier,
  type VerifierOptions,
  type VerifierStatus,
} from './verifier/verifier.ts'
export { VERSION } from './version.ts'
