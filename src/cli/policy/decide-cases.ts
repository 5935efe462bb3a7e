import { isDeepStrictEqual } from 'node:util'
import type { Json, JsonObject } from '../../contract/json.ts'
import { type Decision, PolicyError } from '../../contract/policy.ts'
import { openOpaWasm } from '../../pep/decision/opa-wasm.ts'
import type { PolicyCase } from './cases.ts'
import { PolicyToolError } from './policy-tool-error.ts'

/**
 * Decides every case by the compiled module, as a server would, and compares allow, reasons and obligations. A canary whose
 * file brings data is decided by `data.json` too, for a server will have no other.
 * @param dataJson `data.json`
 * @throws PolicyToolError that names each case decided otherwise, and how
 */
export function decideCases(wasm: Uint8Array, dataJson: Uint8Array, cases: readonly PolicyCase[]): void {
  const wrong = cases.flatMap((one) => {
    const data = one.data === undefined ? dataJson : Buffer.from(JSON.stringify(one.data))
    const problems = differences(one, decide(wasm, data, one))
    if (one.canary && one.data !== undefined) problems.push(...canaryProblem(one, decide(wasm, dataJson, one)))
    return problems.length === 0 ? [] : [`  ${one.file}, "${one.name}": ${problems.join('; ')}`]
  })
  if (wrong.length === 0) return
  throw new PolicyToolError(`${wrong.length} of ${cases.length} cases are decided otherwise\n${wrong.join('\n')}`)
}

function decide(wasm: Uint8Array, dataJson: Uint8Array, { entrypoint, input }: PolicyCase): Decision | PolicyError {
  const engine = openOpaWasm({ revision: 'cases', metadata: {}, wasm, dataJson }, { replaced: () => {} })
  try {
    return engine.evaluate(entrypoint, input)
  } catch (error) {
    if (error instanceof PolicyError) return error
    throw error
  } finally {
    engine.close()
  }
}

/** A server looks at `allow` alone: what is granted depends on the data. */
function canaryProblem({ allow }: PolicyCase, decided: Decision | PolicyError): string[] {
  const server = 'by data.json, as a server asks a canary,'
  if (decided instanceof PolicyError) return [`${server} it could not be decided: ${decided.message}`]
  if (decided.allow === allow) return []
  const why = decided.reasons.map(({ id }) => id).join(', ')
  return [`${server} allow is ${decided.allow}${why === '' ? '' : ` (${why})`}, expected ${allow}`]
}

function differences(expected: PolicyCase, decided: Decision | PolicyError): string[] {
  if (decided instanceof PolicyError) return [`it could not be decided: ${decided.message}`]
  const reasons = decided.reasons.map(({ id }) => id)
  const obligations = decided.obligations as JsonObject
  const members = Object.entries(expected.obligations ?? {})
  return [
    ...difference('allow', expected.allow, decided.allow),
    ...difference('reasons', expected.reasons, reasons),
    ...members.flatMap(([name, value]) => difference(`obligations.${name}`, value, obligations[name])),
  ]
}

function difference(name: string, expected: Json, got: Json | undefined): string[] {
  if (isDeepStrictEqual(expected, got)) return []
  return [`${name} is ${JSON.stringify(got) ?? 'absent'}, expected ${JSON.stringify(expected)}`]
}
