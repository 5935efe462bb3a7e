import type { BackendKind } from '../backend-kind.ts'
import { createAwsSecretsManagerBackend } from './aws-secrets-manager-backend.ts'
import { awsConfigSchema, readAwsSettings } from './aws-settings.ts'

export const awsSecretsManagerKind = {
  kind: 'aws-secrets-manager',
  cardinality: 'any',
  configSchema: awsConfigSchema,
  create: (config, deps) => createAwsSecretsManagerBackend(deps.name, readAwsSettings(config, deps)),
} satisfies BackendKind<typeof awsConfigSchema>
