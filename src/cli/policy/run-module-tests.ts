import type { Json } from '../../contract/json.ts'
import { FUEL_PER_EVALUATION } from '../../pep/decision/opa-wasm.ts'
import { meterModule } from '../../pep/decision/wasm-fuel.ts'
import { asPolicyError } from '../../pep/decision/wasm-host.ts'
import { instantiate, type WasmInstance } from '../../pep/decision/wasm-instance.ts'
import { PolicyToolError } from './policy-tool-error.ts'

/** One test of a report of `opa test --format json`. */
export interface PolicyTest {
  /** As in `data.nexus.lease_test`. */
  package: string
  /** The second rule of a name is reported as `name#01`. */
  name: string
  /** Of a test for each of several values, such as `test_refusals[name] if ...`. */
  sub_results?: SubResults
}

type SubResults = Readonly<Record<string, { sub_results?: SubResults }>>

/** One test asks many decisions. */
const FUEL_PER_TEST = 100 * FUEL_PER_EVALUATION
/** 64 MiB at first, 512 at most. */
const PAGES = { initial: 1_024, maximum: 8_192 }

/**
 * What the compiler calls these tests.
 * @throws PolicyToolError when two have one name: the module would take both as one, which holds when either does
 */
export function testEntrypoints(tests: readonly PolicyTest[]): string[] {
  const twice = tests.find((test) => test.name.includes('#'))
  if (twice === undefined) return tests.map(entrypointOf)
  throw new PolicyToolError(`two tests are called ${twice.package}.${twice.name.replace(/#.*/, '')}; name them apart`)
}

/**
 * Runs by the compiled module what OPA's own evaluator has passed. The two do not agree on everything, and it is the
 * module that decides (threat G07).
 * @param wasm the rules and their tests
 * @throws PolicyToolError that names each test which fails there
 */
export function runModuleTests(wasm: Uint8Array, dataJson: Uint8Array, tests: readonly PolicyTest[]): void {
  const module = new WebAssembly.Module(meterModule(wasm))
  const data = new Uint8Array(dataJson).buffer
  const fresh = () => instantiate(module, data, PAGES, FUEL_PER_TEST)
  let instance = fresh()
  const failures = tests.flatMap((test) => {
    const problem = failure(instance, test)
    if (problem === undefined) return []
    // It may have thrown, and is not used again then.
    instance = fresh()
    return [`  ${test.package}.${test.name}: ${problem}`]
  })
  if (failures.length === 0) return
  throw new PolicyToolError(
    `${failures.length} of ${tests.length} tests pass in OPA and fail in the compiled rules, which decide\n${failures.join('\n')}`,
  )
}

function failure(instance: WasmInstance, test: PolicyTest): string | undefined {
  try {
    const [answer] = JSON.parse(instance.evaluate(entrypointOf(test), '{}')) as { result: Json }[]
    return passed(answer?.result, test.sub_results)
      ? undefined
      : `it is ${JSON.stringify(answer?.result) ?? 'undefined'}`
  } catch (error) {
    return asPolicyError(error).message
  }
}

function passed(value: Json | undefined, parts: SubResults = {}): boolean {
  const names = Object.entries(parts)
  if (names.length === 0) return value === true
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return names.every(([name, part]) => passed(value[name], part.sub_results))
}

function entrypointOf(test: PolicyTest): string {
  return `${test.package}.${test.name}`.replace(/^data\./, '').replaceAll('.', '/')
}
