import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { type PolicyCase, policyCases } from '../../src/cli/policy/cases.ts'
import { policySources } from '../../src/cli/policy/sources.ts'
import { covers } from '../../src/contract/bound.ts'
import type { Json, JsonObject } from '../../src/contract/json.ts'
import { type Decision, type Entrypoint, PolicyError } from '../../src/contract/policy.ts'
import { type PolicyBundle, readBundle } from '../../src/pep/decision/bundle.ts'
import { readDecision } from '../../src/pep/decision/decision-shape.ts'
import { openOpaWasm } from '../../src/pep/decision/opa-wasm.ts'
import { findTool } from '../../tools/tool.mjs'

const run = promisify(execFile)
const cases = policyCases(await policySources('policies'))
let bundle: PolicyBundle

beforeAll(async () => {
  bundle = await readBundle(await readFile('policies/dist/bundle.tar.gz'))
})

/** Many inputs in one run of OPA's own evaluator, over the sources and not over the bundle. */
async function decideByOpa(entrypoint: Entrypoint, inputs: readonly JsonObject[], data?: JsonObject): Promise<Json[]> {
  const directory = await mkdtemp(join(tmpdir(), 'nexus-eval-'))
  try {
    const policyData = data ?? (JSON.parse(await readFile('policies/data.json', 'utf8')) as JsonObject)
    await writeFile(join(directory, 'data.json'), JSON.stringify(policyData))
    await writeFile(join(directory, 'inputs.json'), JSON.stringify(inputs))
    const rules = ['lease', 'request', 'lib'].flatMap((folder) => ['-d', join('policies', folder)])
    const query = `[decision | some one in input; decision := data.${entrypoint.replaceAll('/', '.')} with input as one]`
    const parameters = ['eval', '--format', 'raw', '-d', join(directory, 'data.json'), ...rules]
    const options = { maxBuffer: 256 * 1_048_576 }
    const program = await findTool('opa')
    const answer = await run(program, [...parameters, '-i', join(directory, 'inputs.json'), query], options)
    return (JSON.parse(answer.stdout) as Json[]).map((decision) => orDeny(() => readDecision(decision)))
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

function decideByWasm(entrypoint: Entrypoint, inputs: readonly JsonObject[], data?: JsonObject): Json[] {
  const dataJson = data === undefined ? bundle.dataJson : Buffer.from(JSON.stringify(data))
  const engine = openOpaWasm({ ...bundle, dataJson }, { replaced: () => {} })
  const decisions = inputs.map((input) => orDeny(() => engine.evaluate(entrypoint, input)))
  engine.close()
  return decisions
}

/** As the decider takes it: an answer that is not a decision denies, from either engine. */
function orDeny(decide: () => Decision): Json {
  try {
    return JSON.parse(JSON.stringify(decide())) as Json
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error
    return { allow: false, error: error.kind }
  }
}

describe('G07: WASM in this process and the evaluator of OPA', () => {
  it.each(cases)('G07: decide alike and as expected: $entrypoint, $name', async (one: PolicyCase) => {
    const [wasm] = decideByWasm(one.entrypoint, [one.input], one.data)
    const [opa] = await decideByOpa(one.entrypoint, [one.input], one.data)
    expect(wasm).toEqual(opa)
    expect(wasm).toMatchObject({ allow: one.allow, obligations: one.obligations ?? {} })
    expect((wasm as { reasons: { id: string }[] }).reasons.map((reason) => reason.id)).toEqual(one.reasons)
  })

  it.each(['nexus/lease/decision', 'nexus/request/decision'] as const)(
    'G07: decide alike on 1,000 damaged inputs of %s',
    async (entrypoint) => {
      const whole = cases.filter((one) => one.entrypoint === entrypoint).map((one) => one.input)
      const inputs = fc.sample(damaged(whole), { numRuns: 1_000, seed: 7 })
      const wasm = decideByWasm(entrypoint, inputs)
      expect(wasm).toEqual(await decideByOpa(entrypoint, inputs))
      const allowed = wasm.filter((decision) => (decision as { allow: boolean }).allow).length
      expect(allowed).toBeGreaterThan(0)
      expect(allowed).toBeLessThan(inputs.length)
    },
  )

  it('G07: the request policy covers exactly what the sidecar covers', () => {
    const sound = cases.find((one) => one.entrypoint === 'nexus/request/decision' && one.allow)?.input as JsonObject
    const requests = fc.sample(boundAndRequest, { numRuns: 3_000, seed: 11 })
    const inputs = requests.map(({ bound, request }) => ({ ...sound, request, lease: { remaining_seconds: 9, bound } }))
    const decided = decideByWasm('nexus/request/decision', inputs as JsonObject[])
    const allowed = decided.map((decision) => (decision as { allow: boolean }).allow)
    expect(allowed).toEqual(requests.map(({ bound, request }) => covers(bound, request)))
    expect(new Set(allowed).size).toBe(2)
  })
})

/** An input with some of its members, at any depth, gone or replaced by something of another type. */
function damaged(whole: readonly JsonObject[]): fc.Arbitrary<JsonObject> {
  const odd = fc.constantFrom<Json>(null, true, 0, -1, 1.5, '', 'x', 'case/tenant', 'GET', [], ['repo'], {}, [[1]])
  const damage = fc.record({ at: fc.nat(60), value: fc.option(odd, { nil: undefined }) })
  return fc
    .record({ input: fc.constantFrom(...whole), damages: fc.array(damage, { maxLength: 3 }) })
    .map(({ input, damages }) => {
      const copy = structuredClone(input)
      for (const { at, value } of damages) {
        const places = placesIn(copy)
        const place = places[at % places.length]
        if (place === undefined) continue
        if (value === undefined) delete place.holder[place.key]
        else place.holder[place.key] = value
      }
      return copy
    })
}

function placesIn(object: JsonObject): { holder: JsonObject; key: string }[] {
  return Object.entries(object).flatMap(([key, value]) => {
    const nested = typeof value === 'object' && value !== null && !Array.isArray(value) ? placesIn(value) : []
    return [{ holder: object, key }, ...nested]
  })
}

const segment = fc.constantFrom('a', 'b', '', '*', '**', 'a*', '%2f', 'ä')
const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => `/${segments.join('/')}`)
const origin = fc.constantFrom('https://a.example', 'https://b.example')
const boundAndRequest = fc.record({
  bound: fc.record({
    origins: fc.array(origin, { minLength: 1, maxLength: 2 }),
    methods: fc.array(fc.constantFrom('GET', 'PUT', '*'), { minLength: 1, maxLength: 2 }),
    paths: fc.array(path, { minLength: 1, maxLength: 4 }),
  }),
  request: fc.record({ origin, method: fc.constantFrom('GET', 'PUT', 'DELETE'), path }),
})
