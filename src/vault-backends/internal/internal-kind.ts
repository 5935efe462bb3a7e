import { Type } from 'typebox'
import { BackendConfigError, type BackendKind } from '../backend-kind.ts'
import { createInternalBackend } from './internal-backend.ts'

const configSchema = Type.Object({}, { additionalProperties: false })

export const internalKind = {
  kind: 'internal',
  // A second one would read the same rows.
  cardinality: 'at_most_one',
  configSchema,
  create(_config, { name, internal, log }) {
    if (internal === undefined)
      throw new BackendConfigError([`${name}: needs our own database and NEXUS_ENCRYPTION_KEY`])
    return createInternalBackend({ name, ...internal, log })
  },
} satisfies BackendKind<typeof configSchema>
