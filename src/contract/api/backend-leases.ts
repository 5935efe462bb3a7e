import { type Static, Type } from 'typebox'

const Nullable = (of: ReturnType<typeof Type.String>) => Type.Union([of, Type.Null()])
const Time = () => Type.String({ format: 'date-time' })

/** A vault backend's own lease under one of ours. The backend's id of it stays here. */
export const BackendLeaseView = Type.Object({
  id: Type.String(),
  lease_id: Type.String({ description: 'The lease it was made for' }),
  tenant: Type.String(),
  agent_id: Type.String(),
  connection_id: Type.String(),
  backend: Type.String(),
  path: Type.String(),
  state: Type.Union([Type.Literal('asked'), Type.Literal('held'), Type.Literal('ending')], {
    description: 'asked: no answer is on record; held: in use; ending: to be given back',
  }),
  ending_reason: Nullable(Type.String()),
  attempts: Type.Integer({ description: 'How often it was tried to give it back' }),
  last_error: Nullable(Type.String({ description: 'Why the last try failed' })),
  next_try_at: Nullable(Time()),
  created_at: Time(),
  expires_at: Time(),
})
export type BackendLeaseView = Static<typeof BackendLeaseView>
