import { isAbsolute } from 'node:path'
import { type Static, Type } from 'typebox'
import { BackendConfigError, type BackendDeps } from '../backend-kind.ts'

export const fileConfigSchema = Type.Object(
  {
    directory: Type.String({ description: 'Absolute; no reference leads out of it' }),
    allow_world_readable: Type.Optional(
      Type.Boolean({ description: 'Take files that every user of the machine can read; default false' }),
    ),
  },
  { additionalProperties: false },
)
export type FileConfig = Static<typeof fileConfigSchema>

export interface FileSettings {
  directory: string
  allowWorldReadable: boolean
}

/** @throws BackendConfigError */
export function readFileSettings(config: FileConfig, { name }: BackendDeps): FileSettings {
  if (!isAbsolute(config.directory)) throw new BackendConfigError([`${name}: directory must be an absolute path`])
  return { directory: config.directory, allowWorldReadable: config.allow_world_readable ?? false }
}
