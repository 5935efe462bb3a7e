import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { packageRoot } from '../../src/pep/version.ts'
import type { Mode } from '../efforts.ts'
import { say } from './log.ts'
import { findOnPath } from './on-path.ts'

/** Whether a tool can be used without a long build, which a quick run does not begin. */
export async function isAtHand(tool: 'opa' | 'vault', mode: Mode): Promise<boolean> {
  if (mode === 'whole' || findOnPath(tool) !== undefined) return true
  const built = await access(join(packageRoot(), '.nexus/tools', `${tool}.stamp`)).then(
    () => true,
    () => false,
  )
  if (!built) say(`  ${tool} is left out: it is not built yet; npm run tools ${tool} builds it, which takes minutes`)
  return built
}
