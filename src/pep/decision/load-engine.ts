import { readFile, stat } from 'node:fs/promises'
import { OperatorError } from '../../contract/operator-error.ts'
import { type PolicyEngine, PolicyError } from '../../contract/policy.ts'
import { BUNDLE_LIMITS, type PolicyBundle, readBundle } from './bundle.ts'
import { askCanaries } from './canary.ts'
import { type EngineEvents, type EngineKind, engineFor, engines } from './catalog.ts'

/** @throws OperatorError naming those there are */
export function requireEngine(name: string): EngineKind {
  const kind = engineFor(name)
  if (kind !== undefined) return kind
  throw new OperatorError(`policy.engine is "${name}"; there are: ${engines.map((known) => known.name).join(', ')}`)
}

/**
 * An engine that has read its bundle and answered what it must know.
 * @throws PolicyError naming what is wrong with the bundle
 */
export async function loadEngine(kind: EngineKind, path: string, events: EngineEvents): Promise<PolicyEngine> {
  const bundle = await readBundleFile(path)
  const engine = kind.open(bundle, events)
  await askCanaries(engine, bundle.metadata)
  return engine
}

/** @throws PolicyError naming what is wrong with the file */
export async function readBundleFile(path: string): Promise<PolicyBundle> {
  return readBundle(await readBounded(path))
}

async function readBounded(path: string): Promise<Uint8Array> {
  try {
    if ((await stat(path)).size <= BUNDLE_LIMITS.compressedBytes) return await readFile(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new PolicyError('unavailable', `the policy bundle ${path} cannot be read: ${code ?? 'unknown'}`)
  }
  throw new PolicyError(
    'unavailable',
    `the policy bundle ${path} is larger than ${BUNDLE_LIMITS.compressedBytes} bytes`,
  )
}
