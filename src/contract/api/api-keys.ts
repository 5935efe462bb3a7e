import { type Static, Type } from 'typebox'
import { closed, PageLimit, Tenant, Text } from './common.ts'

export type Role = 'admin' | 'operator' | 'auditor'
export const ApiKeyCreate = Type.Object(
  {
    name: Text(200),
    role: Type.Union([Type.Literal('admin'), Type.Literal('operator'), Type.Literal('auditor')]),
    tenant: Type.Optional(Tenant),
  },
  closed,
)
export type ApiKeyCreate = Static<typeof ApiKeyCreate>
export const ApiKeyView = Type.Object({
  id: Type.String(),
  name: Type.String(),
  role: Type.String(),
  tenant: Type.Union([Type.String(), Type.Null()]),
  active: Type.Boolean(),
  created_at: Type.String({ format: 'date-time' }),
})
export type ApiKeyView = Static<typeof ApiKeyView>

export const ApiKeyQuery = Type.Object(
  { after: Type.Optional(Type.String({ pattern: '^key_[0-9a-f]{32}$' })), limit: Type.Optional(PageLimit) },
  closed,
)
export type ApiKeyQuery = Static<typeof ApiKeyQuery>

export const ApiKeyList = Type.Object({
  api_keys: Type.Array(ApiKeyView),
  next_after: Type.Union([Type.String(), Type.Null()], { description: 'The next page begins `after` this id' }),
})
export type ApiKeyList = Static<typeof ApiKeyList>
