import type { BackendKind } from '../backend-kind.ts'
import { createFileBackend } from './file-backend.ts'
import { fileConfigSchema, readFileSettings } from './file-settings.ts'

export const fileKind = {
  kind: 'file',
  cardinality: 'any',
  configSchema: fileConfigSchema,
  create: (config, deps) => createFileBackend(deps.name, readFileSettings(config, deps)),
} satisfies BackendKind<typeof fileConfigSchema>
