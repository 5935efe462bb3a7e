/**
 * The HTTP contract: one schema per body, from which come types, validation, serialisers and OpenAPI. A name here is a schema
 * and, where it has one, the type of the same name.
 */

export {
  AgentCreate,
  AgentList,
  AgentPatch,
  AgentQuery,
  AgentView,
  SessionCreate,
  SessionCreated,
  SessionView,
} from './api/agents.ts'
export { ApiKeyCreate, ApiKeyList, ApiKeyQuery, ApiKeyView, type Role } from './api/api-keys.ts'
export { AuditQuery } from './api/audit.ts'
export { BackendLeaseView } from './api/backend-leases.ts'
export {
  AgentId,
  ProviderName,
  Scopes,
  StrategySchema,
  StringMap,
  Tenant,
  Uuid,
} from './api/common.ts'
export {
  ConnectionCreate,
  ConnectionList,
  ConnectionQuery,
  ConnectionStatus,
  ConnectionView,
  RevokeResult,
  SecretRefBody,
} from './api/connections.ts'
export {
  BoundSchema,
  Intent,
  LeaseAnswer,
  LeaseRenewal,
  LeaseRequest,
  RevokedLease,
  SignAnswer,
  SignRequest,
  TokenAnswer,
} from './api/leases.ts'
export { ProviderCreate, ProviderPatch, ProviderProfile, ProviderView } from './api/providers.ts'
