// Made from docs/openapi.json by `npm run generate`: do not edit.

import type {
  ApiKeyWithSecret,
  CreateApiKeyParams,
  CreateSessionParams,
  CreateTenantParams,
  CreateTenantResult,
  DeleteUserSessionsParams,
  DeleteUserSessionsResult,
  ListApiKeysParams,
  ListApiKeysResult,
  ListEventsParams,
  ListEventsResult,
  ListRevocationsParams,
  ListRevocationsResult,
  ListSessionsParams,
  ListSessionsResult,
  ListSigningKeysResult,
  ListTenantsParams,
  ListTenantsResult,
  RefreshSessionParams,
  RevokeSessionParams,
  RevokeSessionsParams,
  RevokeSessionsResult,
  RevokeSigningKeyParams,
  RotateApiKeyParams,
  Session,
  SessionTokens,
  SigningKey,
  Tenant,
  UpdateSessionParams,
  UpdateTenantParams,
  Verification,
  VerifyTokenParams,
} from './model.ts'

/** What each route takes and gives, by method and path. */
export interface Operations {
  'POST /v1/sessions/verify': {
    operationId: 'verifyToken'
    path: null
    query: null
    body: VerifyTokenParams
    result: Verification
  }
  'POST /v1/sessions': {
    operationId: 'createSession'
    path: null
    query: null
    body: CreateSessionParams
    result: SessionTokens
  }
  'GET /v1/sessions': {
    operationId: 'listSessions'
    path: null
    query: ListSessionsParams
    body: null
    result: ListSessionsResult
  }
  'DELETE /v1/sessions': {
    operationId: 'revokeSessions'
    path: null
    query: RevokeSessionsParams
    body: null
    result: RevokeSessionsResult
  }
  'GET /v1/sessions/{sessionId}': {
    operationId: 'getSession'
    path: { sessionId: string }
    query: null
    body: null
    result: Session
  }
  'PATCH /v1/sessions/{sessionId}': {
    operationId: 'updateSession'
    path: { sessionId: string }
    query: null
    body: UpdateSessionParams
    result: Session
  }
  'DELETE /v1/sessions/{sessionId}': {
    operationId: 'revokeSession'
    path: { sessionId: string }
    query: RevokeSessionParams
    body: null
    result: undefined
  }
  'DELETE /v1/users/{userId}/sessions': {
    operationId: 'deleteUserSessions'
    path: { userId: string }
    query: DeleteUserSessionsParams
    body: null
    result: DeleteUserSessionsResult
  }
  'POST /v1/sessions/refresh': {
    operationId: 'refreshSession'
    path: null
    query: null
    body: RefreshSessionParams
    result: SessionTokens
  }
  'GET /v1/revocations': {
    operationId: 'listRevocations'
    path: null
    query: ListRevocationsParams
    body: null
    result: ListRevocationsResult
  }
  'GET /v1/events': {
    operationId: 'listEvents'
    path: null
    query: ListEventsParams
    body: null
    result: ListEventsResult
  }
  'POST /v1/api-keys': {
    operationId: 'createApiKey'
    path: null
    query: null
    body: CreateApiKeyParams
    result: ApiKeyWithSecret
  }
  'GET /v1/api-keys': {
    operationId: 'listApiKeys'
    path: null
    query: ListApiKeysParams
    body: null
    result: ListApiKeysResult
  }
  'POST /v1/api-keys/{apiKeyId}/rotate': {
    operationId: 'rotateApiKey'
    path: { apiKeyId: string }
    query: null
    body: RotateApiKeyParams
    result: ApiKeyWithSecret
  }
  'DELETE /v1/api-keys/{apiKeyId}': {
    operationId: 'revokeApiKey'
    path: { apiKeyId: string }
    query: null
    body: null
    result: undefined
  }
  'GET /v1/signing-keys': {
    operationId: 'listSigningKeys'
    path: null
    query: null
    body: null
    result: ListSigningKeysResult
  }
  'POST /v1/signing-keys/rotate': {
    operationId: 'rotateSigningKey'
    path: null
    query: null
    body: null
    result: SigningKey
  }
  'DELETE /v1/signing-keys/{kid}': {
    operationId: 'revokeSigningKey'
    path: { kid: string }
    query: RevokeSigningKeyParams
    body: null
    result: undefined
  }
  'POST /v1/tenants': {
    operationId: 'createTenant'
    path: null
    query: null
    body: CreateTenantParams
    result: CreateTenantResult
  }
  'GET /v1/tenants': {
    operationId: 'listTenants'
    path: null
    query: ListTenantsParams
    body: null
    result: ListTenantsResult
  }
  'GET /v1/tenants/{tenantId}': {
    operationId: 'getTenant'
    path: { tenantId: string }
    query: null
    body: null
    result: Tenant
  }
  'PATCH /v1/tenants/{tenantId}': {
    operationId: 'updateTenant'
    path: { tenantId: string }
    query: null
    body: UpdateTenantParams
    result: Tenant
  }
  'DELETE /v1/tenants/{tenantId}': {
    operationId: 'deleteTenant'
    path: { tenantId: string }
    query: null
    body: null
    result: undefined
  }
}
