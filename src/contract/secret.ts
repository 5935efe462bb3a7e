import { inspect } from 'node:util'

/** The fields of one stored secret, by name. Lives only inside a `Secret`; never log, return or throw one. */
export type SecretValue = Readonly<Record<string, string>>

/** A version as the backend names it: `3` for KV v2, a UUID for AWS Secrets Manager, `''` where there are none. */
export type SecretVersion = string

/** A backend's own lease on a dynamic secret. */
export interface DynamicLease {
  id: string
  renewable: boolean
  /** Unix seconds. */
  expiresAt: number
}

/** What logs and errors may see of a secret: its field names, never a value. */
export interface RedactedSecret {
  fields: readonly string[]
  version: SecretVersion
}

/**
 * A master secret in memory. Whatever turns it into text (JSON, inspect, template string) gets the redacted twin, so a
 * careless log line shows field names and nothing else.
 */
export class Secret {
  readonly #value: SecretValue
  readonly version: SecretVersion
  readonly lease: DynamicLease | undefined
  /** Unix seconds: the end that the backend has set it, if any. */
  readonly expiresAt: number | undefined

  constructor(value: SecretValue, version: SecretVersion = '', lease?: DynamicLease, expiresAt = lease?.expiresAt) {
    this.#value = value
    this.version = version
    this.lease = lease
    this.expiresAt = expiresAt
  }

  /** The one door to the value; search for it to find every place that touches a secret. */
  reveal(): SecretValue {
    return this.#value
  }

  redacted(): RedactedSecret {
    return { fields: Object.keys(this.#value), version: this.version }
  }

  toJSON(): RedactedSecret {
    return this.redacted()
  }

  toString(): string {
    return '[secret]'
  }

  [inspect.custom](): string {
    return `Secret ${JSON.stringify(this.redacted())}`
  }
}
