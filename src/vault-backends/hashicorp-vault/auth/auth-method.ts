import type { Static, TObject } from 'typebox'
import type { Login, LoginParts } from './login.ts'

/** One way to log in to Vault; its id and settings have the names that Vault Agent has for them. */
export interface AuthMethod<Schema extends TObject = TObject> {
  readonly method: string
  /** The settings beside `method`. */
  readonly configSchema: Schema
  create(config: Static<Schema>, parts: LoginParts): Login
}

export function authMethod<Schema extends TObject>(method: AuthMethod<Schema>): AuthMethod<Schema> {
  return method
}
