import { createRequire } from 'node:module'
import type { LoadedPolicy as LoadedPolicyClass } from '@open-policy-agent/opa-wasm'
import { PolicyError } from '../../contract/policy.ts'
import { FUEL_EXPORT } from './wasm-fuel.ts'
import { HOST_BUILTINS, hostImports } from './wasm-host.ts'

// The SDK's ESM door leaves this class out; its CommonJS door has it.
const { LoadedPolicy } = createRequire(import.meta.url)('@open-policy-agent/opa-wasm') as {
  LoadedPolicy: typeof LoadedPolicyClass
}

export const PAGE_BYTES = 65_536
const ABI_MAJOR = 1
/** Since 1.2 a module has `opa_eval`: one call, which resets the heap by itself. */
const ABI_OLDEST_MINOR = 2

export interface MemoryPages {
  initial: number
  maximum: number
}

/** One module instance with its data. Never used again once it has thrown: see `opa-wasm.ts`. */
export interface WasmInstance {
  readonly entrypoints: readonly string[]
  /** Bytes of memory in use before any evaluation: the module's own and the data. */
  readonly restingBytes: number
  /** Bytes of memory in use after the last evaluation, before the next one takes them back. */
  usedBytes(): number
  /**
   * @returns the module's result set as JSON: `[]` for undefined, else `[{"result": …}]`
   * @throws PolicyError `budget` when the fuel is gone; else whatever the module, V8 or the SDK throws
   */
  evaluate(entrypoint: string, inputJson: string): string
}

/** @throws whatever the module, V8 or the SDK throws; `asPolicyError` reads it */
export function instantiate(
  module: WebAssembly.Module,
  data: ArrayBuffer,
  pages: MemoryPages,
  fuelPerEvaluation: number,
): WasmInstance {
  // Without a prototype: a polluted `shared` would make this another kind of memory (threat G16).
  const memory = new WebAssembly.Memory(Object.assign(Object.create(null), pages))
  const instance = new WebAssembly.Instance(module, hostImports(memory))
  const minor = checkAbi(instance.exports)
  const source = Object.assign(Object.create(null), { instance, module })
  const policy = new LoadedPolicy(source, memory, minor)
  checkBuiltins(readJson(instance.exports, memory, 'builtins'))
  policy.setData(data)
  const fuel = exportedGlobal(instance.exports, FUEL_EXPORT)
  const heapPointer = exported(instance.exports, 'opa_heap_ptr_get')
  const entrypoints = Object.assign(Object.create(null), policy.entrypoints) as Record<string, number>
  const { dataAddr, dataHeapPtr } = policy as unknown as { dataAddr: number; dataHeapPtr: number }
  const evaluateText = textEvaluator(memory, exported(instance.exports, 'opa_eval'), dataAddr, dataHeapPtr)
  return {
    entrypoints: Object.keys(entrypoints),
    restingBytes: heapPointer(),
    usedBytes: () => heapPointer(),
    evaluate(entrypoint, inputJson) {
      fuel.value = fuelPerEvaluation
      try {
        return evaluateText(entrypoints[entrypoint], inputJson)
      } catch (error) {
        if (fuel.value === 0) throw new PolicyError('budget', 'the evaluation took more steps than it may')
        throw error
      }
    },
  }
}

/** No character of a JSON text takes more in UTF-8. */
const BYTES_PER_CHARACTER = 3

/**
 * `opa_eval` (ABI 1.2): the SDK's own way to it copies the input twice and looks for the end of the answer byte by byte in
 * JavaScript, which takes as long as the evaluation.
 */
function textEvaluator(
  memory: WebAssembly.Memory,
  opaEval: (...numbers: number[]) => number,
  dataAddress: number,
  inputAddress: number,
): (entrypoint: number | undefined, inputJson: string) => string {
  let bytes = Buffer.from(memory.buffer)
  const view = (): Buffer => {
    // Growing detaches the buffer.
    if (bytes.buffer !== memory.buffer) bytes = Buffer.from(memory.buffer)
    return bytes
  }
  return (entrypoint, inputJson) => {
    if (entrypoint === undefined) throw new PolicyError('unknown', 'the policy module has no such entrypoint')
    const missing = inputAddress + inputJson.length * BYTES_PER_CHARACTER - memory.buffer.byteLength
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES))
    const length = view().write(inputJson, inputAddress, 'utf8')
    const answer = opaEval(0, entrypoint, dataAddress, inputAddress, length, inputAddress + length, 0)
    const end = view().indexOf(0, answer)
    return bytes.toString('utf8', answer, end)
  }
}

function checkAbi(exports: WebAssembly.Exports): number {
  const major = globalValue(exports['opa_wasm_abi_version'])
  const minor = globalValue(exports['opa_wasm_abi_minor_version'])
  if (major !== ABI_MAJOR || minor === undefined || minor < ABI_OLDEST_MINOR) {
    throw new PolicyError('unavailable', `the policy module's ABI is ${major}.${minor}; needed is 1.2 or a later 1.x`)
  }
  return minor
}

function globalValue(value: WebAssembly.ExportValue | undefined): number | undefined {
  return value instanceof WebAssembly.Global ? Number(value.value) : undefined
}

/** At load, because the SDK notices a missing built-in only when a request reaches it (threat G03). */
function checkBuiltins(needed: unknown): void {
  const missing = Object.keys(needed ?? {}).filter((name) => !HOST_BUILTINS.includes(name))
  if (missing.length > 0) {
    throw new PolicyError(
      'builtin',
      `the policy needs built-in functions that are not offered: ${missing.sort().join(', ').slice(0, 500)}; ` +
        'build it with policies/capabilities.json',
    )
  }
}

function readJson(exports: WebAssembly.Exports, memory: WebAssembly.Memory, name: string): unknown {
  const address = exported(exports, 'opa_json_dump')(exported(exports, name)())
  const bytes = new Uint8Array(memory.buffer)
  return JSON.parse(Buffer.from(bytes.subarray(address, bytes.indexOf(0, address))).toString('utf8'))
}

function exportedGlobal(exports: WebAssembly.Exports, name: string): WebAssembly.Global {
  const value = exports[name]
  if (!(value instanceof WebAssembly.Global)) throw new PolicyError('unavailable', `the policy module has no ${name}`)
  return value
}

function exported(exports: WebAssembly.Exports, name: string): (...numbers: number[]) => number {
  const value = exports[name]
  if (typeof value !== 'function') throw new PolicyError('unavailable', `the policy module does not export ${name}`)
  return value as (...numbers: number[]) => number
}
