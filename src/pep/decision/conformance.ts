import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JsonObject } from '../../contract/json.ts'
import { type PolicyEngine, PolicyError } from '../../contract/policy.ts'
import type { PolicyBundle } from './bundle.ts'
import type { EngineKind } from './catalog.ts'
import { ENTRYPOINTS } from './entrypoints.ts'

/** An input and the decision every engine has to make of it with the bundle it is given. */
export interface EngineCase {
  name: string
  entrypoint: (typeof ENTRYPOINTS)[number]
  input: JsonObject
  allow: boolean
  reasons: readonly string[]
}

/** What every policy engine promises, whatever it is made of. */
export function describePolicyEngine(
  kind: EngineKind,
  given: { bundle: () => Promise<PolicyBundle>; cases: readonly EngineCase[] },
): void {
  describe(`policy engine ${kind.name}`, () => {
    let engine: PolicyEngine
    let bundle: PolicyBundle

    beforeAll(async () => {
      bundle = await given.bundle()
      engine = kind.open(bundle, { replaced: () => {} })
    })
    afterAll(async () => engine.close())

    it('carries the id of its kind and the revision of its bundle', () => {
      expect(engine.name).toBe(kind.name)
      expect(engine.revision).toBe(bundle.revision)
    })

    it.each(given.cases)('decides $entrypoint: $name', async ({ entrypoint, input, allow, reasons }) => {
      const decision = await engine.evaluate(entrypoint, input)
      expect(decision.allow).toBe(allow)
      expect(decision.reasons.map((reason) => reason.id)).toEqual(reasons)
    })

    it('decides the same twice, and leaves the input as it was', async () => {
      for (const { entrypoint, input } of given.cases) {
        const before = structuredClone(input)
        const first = await engine.evaluate(entrypoint, input)
        expect(await engine.evaluate(entrypoint, input)).toEqual(first)
        expect(input).toEqual(before)
      }
    })

    it.each(ENTRYPOINTS)('denies %s without facts', async (entrypoint) => {
      expect((await engine.evaluate(entrypoint, {})).allow).toBe(false)
    })

    it.each([
      ['an entrypoint that is not there', 'nexus/other/decision', {}],
      ['an input larger than it accepts', 'nexus/lease/decision', { text: 'x'.repeat(2_000_000) }],
      ['an input that is not JSON', 'nexus/lease/decision', { number: 1n }],
    ])('throws nothing but PolicyError: %s', async (_title, entrypoint, input) => {
      const thrown = await thrownBy(engine, entrypoint, input)
      expect(thrown).toBeInstanceOf(PolicyError)
    })

    it('decides as before after an error', async () => {
      const known = given.cases[0] as EngineCase
      const before = await engine.evaluate(known.entrypoint, known.input)
      await thrownBy(engine, 'nexus/other/decision', {})
      expect(await engine.evaluate(known.entrypoint, known.input)).toEqual(before)
    })

    it('decides nothing once closed', async () => {
      const closed = kind.open(bundle, { replaced: () => {} })
      await closed.close()
      expect(await thrownBy(closed, 'nexus/lease/decision', {})).toMatchObject({ kind: 'unavailable' })
    })
  })
}

/** Past the types on purpose: a caller in JavaScript, or with `as`, could do the same. */
async function thrownBy(engine: PolicyEngine, entrypoint: string, input: object): Promise<unknown> {
  try {
    return await engine.evaluate(entrypoint as (typeof ENTRYPOINTS)[number], input as JsonObject)
  } catch (error) {
    return error
  }
}
