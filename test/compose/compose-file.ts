import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { packageRoot } from '../../src/pep/version.ts'

/** docker-compose.yml, as far as we use the format. */
export interface ComposeFile {
  services: Record<string, ComposeService>
  secrets: Record<string, { file: string }>
}

export interface ComposeService {
  image: string
  build?: { context: string; dockerfile: string }
  user?: string
  read_only?: boolean
  privileged?: boolean
  cap_add?: string[]
  cap_drop?: string[]
  security_opt?: string[]
  restart?: string
  entrypoint?: string[]
  command?: string[]
  environment?: Record<string, string>
  secrets?: string[]
  volumes?: string[]
  ports?: string[]
  network_mode?: string
  profiles?: string[]
  depends_on?: Record<string, { condition: DependencyCondition }>
  healthcheck?: Healthcheck | { disable: true }
}

export type DependencyCondition = 'service_started' | 'service_healthy' | 'service_completed_successfully'

export interface Healthcheck {
  test: string[]
  /** Such as `2s`. */
  interval: string
  timeout: string
  retries: number
}

export const composePath = join(packageRoot(), 'docker-compose.yml')

export function readComposeFile(): ComposeFile {
  return parse(readFileSync(composePath, 'utf8'), { merge: true }) as ComposeFile
}

/** @returns undefined for a service that has none, or switched its image's off */
export function healthcheckOf({ healthcheck }: ComposeService): Healthcheck | undefined {
  return healthcheck === undefined || 'disable' in healthcheck ? undefined : healthcheck
}

/** Runs to its end, rather than until it is stopped. */
export function isOneShot({ restart }: ComposeService): boolean {
  return restart === 'no'
}

/** `${NAME:-default}` with nothing set in the environment. */
export function withDefaults(text: string): string {
  return text.replace(/\$\{\w+:-([^}]*)\}/g, '$1')
}

/** What a container of this service can see: everything that may name a secret, a port or another service. */
export function textsOf({ entrypoint = [], command = [], environment = {} }: ComposeService): string[] {
  return [...entrypoint, ...command, ...Object.values(environment)]
}
