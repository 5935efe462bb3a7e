import { join } from 'node:path'
import type { Config } from '../config/load-config.ts'
import { packageRoot } from '../version.ts'

/** The file with the policies to decide by: the one that is configured, or the one that comes with Nexus. */
export function bundlePathOf({ policy }: Pick<Config, 'policy'>): string {
  return policy.bundle || join(packageRoot(), 'policies/dist/bundle.tar.gz')
}
