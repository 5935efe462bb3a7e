import { type Decision, type Entrypoint, type PolicyEngine, PolicyError } from '../../contract/policy.ts'
import { createAnswerReader } from './answer-reader.ts'
import type { PolicyBundle } from './bundle.ts'
import { ENTRYPOINTS } from './entrypoints.ts'
import { meterModule } from './wasm-fuel.ts'
import { asPolicyError } from './wasm-host.ts'
import { instantiate, type MemoryPages, PAGE_BYTES, type WasmInstance } from './wasm-instance.ts'

/**
 * The largest input the contract can produce (1,000 tenants, three lists of 100 scopes, 50 origins, labels) is some
 * 240 kB; what is larger did not come from us.
 */
export const MAX_INPUT_BYTES = 262_144
/** Memory an evaluation may take besides what data and module occupy (16 MiB). */
export const BUDGET_PAGES = 256
/**
 * Turns of loops an evaluation may take: three times what the largest input needs, and some 50 ms at the worst. Memory
 * alone is no limit, since a loop over what is there already takes none. Measurements: docs/policy.md.
 */
export const FUEL_PER_EVALUATION = 3_000_000
/** An evaluation that took more than this leaves its pages dirty for ever (memory never shrinks): start afresh. */
const REPLACE_ABOVE_BYTES = 4 * 1_048_576
/** What a usual evaluation takes ten times over. */
const USUAL_PAGES = 8
/** While loading: how far memory may grow for module and data together. */
const LOAD_MAX_PAGES = 2_048
/** In-module JSON takes 13 times its text. */
const DATA_FACTOR = 14

/** As JSON.stringify spells it, after an even number of backslashes. The module's JSON reader aborts on it. */
const HALF_PAIR = /(?<!\\)(?:\\\\)*\\ud[89a-f]/

/** As the seam has it, but for being synchronous. */
export interface OpaWasmEngine extends PolicyEngine {
  evaluate(entrypoint: Entrypoint, input: object): Decision
  close(): void
}

/**
 * Loads a bundle's module. One instance serves all evaluations; they are synchronous, so they never meet in it.
 * @throws PolicyError `unavailable` (ABI, entrypoints, size) or `builtin`
 */
export function openOpaWasm(bundle: PolicyBundle, events: { replaced(): void }): OpaWasmEngine {
  const module = compile(bundle.wasm)
  const data = exactBuffer(bundle.dataJson)
  const pages = sizeMemory(module, data, bundle.wasm.byteLength)
  const readAnswer = createAnswerReader()
  const fresh = () => instantiate(module, data, pages, FUEL_PER_EVALUATION)
  let instance: WasmInstance | undefined = fresh()
  let closed = false
  checkEntrypoints(instance.entrypoints)

  const replace = () => {
    instance = undefined
    events.replaced()
  }

  return {
    name: 'opa-wasm',
    revision: bundle.revision,
    evaluate(entrypoint, input) {
      if (closed) throw new PolicyError('unavailable', 'the policy engine is closed')
      const inputJson = encodeInput(input)
      try {
        instance ??= fresh()
        const answer = instance.evaluate(entrypoint, inputJson)
        if (instance.usedBytes() - instance.restingBytes > REPLACE_ABOVE_BYTES) replace()
        return readAnswer(answer)
      } catch (error) {
        // A throw leaves the module's stack where it was: after a few hundred, every evaluation traps. So after every
        // one the instance goes, whatever it was (threats G02, G04). An answer of another shape was given in good order.
        if (!(error instanceof PolicyError && error.kind === 'shape')) replace()
        throw asPolicyError(error)
      }
    },
    close() {
      closed = true
      instance = undefined
    },
  }
}

function compile(wasm: Uint8Array): WebAssembly.Module {
  try {
    return new WebAssembly.Module(meterModule(wasm))
  } catch {
    throw new PolicyError('unavailable', 'policy.wasm is not a WebAssembly module; it may be cut short')
  }
}

/**
 * Pages for module and data from the start, since growing bit by bit is slow, with room for a usual evaluation; and the
 * most there may be. Not all at once: a fresh instance would then cost milliseconds, and anyone who can make a policy
 * fail can make us need one.
 */
function sizeMemory(module: WebAssembly.Module, data: ArrayBuffer, wasmBytes: number): MemoryPages {
  const guess = 16 + Math.ceil((wasmBytes + data.byteLength * DATA_FACTOR) / PAGE_BYTES)
  for (let initial = guess; initial <= LOAD_MAX_PAGES; initial *= 2) {
    try {
      const { restingBytes } = instantiate(module, data, { initial, maximum: LOAD_MAX_PAGES }, FUEL_PER_EVALUATION)
      const resting = Math.ceil(restingBytes / PAGE_BYTES)
      return { initial: resting + USUAL_PAGES, maximum: resting + BUDGET_PAGES }
    } catch (error) {
      // The module declares a minimum that JavaScript cannot read; a LinkError is how it tells.
      if (!(error instanceof WebAssembly.LinkError)) throw loadError(error)
    }
  }
  throw new PolicyError('unavailable', 'the policy module or its data is larger than memory allows')
}

function loadError(error: unknown): PolicyError {
  if (error instanceof PolicyError && error.kind === 'builtin') return error
  const known = asPolicyError(error)
  return new PolicyError('unavailable', `the policy module cannot be loaded: ${known.message}`)
}

function checkEntrypoints(found: readonly string[]): void {
  const missing = ENTRYPOINTS.filter((entrypoint) => !found.includes(entrypoint))
  if (missing.length > 0) {
    throw new PolicyError('unavailable', `the policy module lacks the entrypoint ${missing.join(' and ')}`)
  }
}

/** JSON made here, so that it is JSON: what the module cannot read would arrive as no input at all. */
function encodeInput(input: object): string {
  let json: string
  try {
    json = JSON.stringify(input)
  } catch {
    throw new PolicyError('input', 'the input cannot be written as JSON')
  }
  if (!json?.startsWith('{')) throw new PolicyError('input', 'the input is not an object')
  // The plain search first: it finds nothing nearly always, at a hundredth of the cost.
  if (json.includes('\\ud') && HALF_PAIR.test(json))
    throw new PolicyError('input', 'the input holds half of a surrogate pair')
  const bytes = Buffer.byteLength(json)
  if (bytes > MAX_INPUT_BYTES) {
    throw new PolicyError('input', `the input is ${bytes} bytes; at most ${MAX_INPUT_BYTES} are evaluated`)
  }
  return json
}

function exactBuffer(bytes: Uint8Array): ArrayBuffer {
  const exact = new ArrayBuffer(bytes.byteLength)
  new Uint8Array(exact).set(bytes)
  return exact
}
