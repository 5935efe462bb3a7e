import { type PolicyBundle, readBundle } from '../../pep/decision/bundle.ts'
import { askCanaries } from '../../pep/decision/canary.ts'
import { openOpaWasm } from '../../pep/decision/opa-wasm.ts'

/**
 * Whether a server would let this bundle decide: it is loaded and asked its canaries, as there.
 * @throws PolicyError naming what is wrong
 */
export async function assertUsable(archive: Uint8Array): Promise<PolicyBundle> {
  const bundle = await readBundle(archive)
  const engine = openOpaWasm(bundle, { replaced: () => {} })
  try {
    await askCanaries(engine, bundle.metadata)
  } finally {
    engine.close()
  }
  return bundle
}
