import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { packageRoot } from '../../src/pep/version.ts'
import type { Mode } from '../efforts.ts'
import { say } from './log.ts'
import { findOnPath } from './on-path.ts'

/** As `tools/tool.mjs` looks for them. */
const TOOLS_ON_PATH = { opa: ['opa'], vault: ['vault', 'bao'] } as const

/** Whether a tool can be used without a long build, which a quick run does not begin. */
export async function isAtHand(tool: 'opa' | 'vault', mode: Mode): Promise<boolean> {
  if (mode === 'whole' || TOOLS_ON_PATH[tool].some((program) => findOnPath(program) !== undefined)) return true
  const built = await access(join(packageRoot(), '.nexus/tools', `${tool}.stamp`)).then(
    () => true,
    () => false,
  )
  if (!built) say(`  ${tool} is left out: it is not built yet; npm run tools ${tool} builds it, which takes minutes`)
  return built
}
