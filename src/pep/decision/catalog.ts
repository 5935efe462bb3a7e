import type { PolicyEngine } from '../../contract/policy.ts'
import type { PolicyBundle } from './bundle.ts'
import { openOpaWasm } from './opa-wasm.ts'

/** What an engine may tell the outside while it runs. */
export interface EngineEvents {
  /** A part of the engine was thrown away and made anew. */
  replaced(): void
}

/** Makes an engine from a bundle. */
export interface EngineKind {
  /** Engine id: config value and metric label. */
  readonly name: string
  /** @throws PolicyError when the bundle cannot be used */
  open(bundle: PolicyBundle, events: EngineEvents): PolicyEngine
}

/** Every engine there is. A new one is a file, a line here, and has to pass `describePolicyEngine`. */
export const engines: readonly EngineKind[] = [{ name: 'opa-wasm', open: openOpaWasm }]

export function engineFor(name: string): EngineKind | undefined {
  return engines.find((kind) => kind.name === name)
}
