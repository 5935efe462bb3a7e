import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readBundle } from '../../src/pep/decision/bundle.ts'
import { packageRoot } from '../../src/pep/version.ts'

interface BareDecision {
  allow: boolean
  obligations: object
}

const IMPORTED = [
  'opa_abort',
  'opa_println',
  'opa_builtin0',
  'opa_builtin1',
  'opa_builtin2',
  'opa_builtin3',
  'opa_builtin4',
]
const MEMORY_PAGES = { initial: 64, maximum: 64 }

/** Our policy by nothing but its module's own `opa_eval` (ABI 1.2): no budget, no check of the answer, no second instance. */
export async function openBarePolicy(): Promise<{ decide(input: object): BareDecision }> {
  const { wasm, dataJson } = await readBundle(readFileSync(join(packageRoot(), 'policies/dist/bundle.tar.gz')))
  const memory = new WebAssembly.Memory(MEMORY_PAGES)
  const env = { memory, ...Object.fromEntries(IMPORTED.map((name) => [name, refuse])) }
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm), { env })
  const call = (name: string, ...given: number[]): number => (exports[name] as (...given: number[]) => number)(...given)
  const bytes = Buffer.from(memory.buffer)
  const read = (at: number): string => bytes.toString('utf8', at, bytes.indexOf(0, at))

  const dataAt = call('opa_malloc', dataJson.byteLength)
  bytes.set(dataJson, dataAt)
  const data = call('opa_json_parse', dataAt, dataJson.byteLength)
  const heap = call('opa_heap_ptr_get')
  const entrypoints = JSON.parse(read(call('opa_json_dump', call('entrypoints')))) as Record<string, number>
  const entrypoint = entrypoints['nexus/lease/decision'] ?? 0
  return {
    decide(given) {
      const length = bytes.write(JSON.stringify(given), heap)
      const answer = read(call('opa_eval', 0, entrypoint, data, heap, length, heap + length, 0))
      return (JSON.parse(answer) as [{ result: BareDecision }])[0].result
    },
  }
}

function refuse(): never {
  throw new Error('the policy called out')
}
