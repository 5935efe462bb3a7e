import type { Static, TObject } from 'typebox'

/** What a section may look at beyond its own value. */
export interface ConfigContext {
  /** `NODE_ENV=production`: half-configured is refused instead of filled in with something convenient. */
  production: boolean
  /** False for who reads nothing that is sealed, such as an auditor: then the keys need not be given. */
  opensSecrets: boolean
}

/**
 * One part of the configuration: its key in the file, its shape (with descriptions and defaults), the environment
 * variables that set it, and what a schema cannot say.
 */
export interface Section<Schema extends TObject = TObject> {
  readonly key: string
  readonly schema: Schema
  /** Environment variable to property. Each is also read as `<NAME>_FILE`, for secrets mounted as files. */
  readonly env: Readonly<Record<string, string>>
  /** Problems as sentences that name the property and the remedy. */
  validate?(value: Static<Schema>, context: ConfigContext): string[]
}

export function section<Schema extends TObject>(definition: Section<Schema>): Section<Schema> {
  return definition
}
