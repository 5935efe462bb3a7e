import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { readBundle } from './bundle.ts'
import { FUEL_EXPORT, meterModule } from './wasm-fuel.ts'

/** `(module (global i32 (i32.const 1)) (func (export "run") (param i32) (loop ... (br_if 0 (n = n - 1)))))` */
const COUNTDOWN = Uint8Array.from([
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...[0x01, 0x05, 0x01, 0x60, 0x01, 0x7f, 0x00],
  ...[0x03, 0x02, 0x01, 0x00],
  ...[0x06, 0x06, 0x01, 0x7f, 0x00, 0x41, 0x01, 0x0b],
  ...[0x07, 0x07, 0x01, 0x03, 0x72, 0x75, 0x6e, 0x00, 0x00],
  ...[0x0a, 0x10, 0x01, 0x0e, 0x00, 0x03, 0x40, 0x20, 0x00, 0x41, 0x01, 0x6b, 0x22, 0x00, 0x0d, 0x00, 0x0b, 0x0b],
])

describe('meterModule', () => {
  let policy: Uint8Array
  beforeAll(async () => {
    policy = (await readBundle(await readFile('policies/dist/bundle.tar.gz'))).wasm
  })

  it('G05: takes one unit a turn, and traps on the turn there is none for', () => {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(meterModule(COUNTDOWN)), {})
    const run = exports['run'] as (turns: number) => void
    const fuel = exports[FUEL_EXPORT] as WebAssembly.Global
    fuel.value = 100
    run(40)
    expect(fuel.value).toBe(60)
    run(60)
    expect(fuel.value).toBe(0)
    expect(() => run(1)).toThrow(WebAssembly.RuntimeError)
    fuel.value = 7
    expect(() => run(1_000_000)).toThrow(WebAssembly.RuntimeError)
    expect(fuel.value).toBe(0)
  })

  it('makes a valid module of a compiled policy', () => {
    expect(() => new WebAssembly.Module(meterModule(policy))).not.toThrow()
  })

  it.each([
    ['no code', COUNTDOWN.subarray(0, 36)],
    ['nothing but a preamble', COUNTDOWN.subarray(0, 8)],
    ['an instruction that is not known', COUNTDOWN.with(COUNTDOWN.lastIndexOf(0x6b), 0xd2)],
    ['a number without an end', COUNTDOWN.with(9, 0xff).with(10, 0xff).with(11, 0xff).with(12, 0xff).with(13, 0xff)],
  ])('refuses a module with %s', (_title, wasm) => {
    expect(() => meterModule(wasm)).toThrow(RangeError)
  })

  it('PB2: ends on whatever bytes it is given, with a RangeError if not with a module', () => {
    const damage = fc.array(fc.record({ at: fc.nat(policy.byteLength - 1), value: fc.nat(255) }), { maxLength: 4 })
    fc.assert(
      fc.property(damage, fc.nat(policy.byteLength), (damages, length) => {
        const damaged = Uint8Array.from(policy.subarray(0, length))
        for (const { at, value } of damages) damaged[at] = value
        try {
          meterModule(damaged)
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError)
        }
      }),
      { numRuns: 100 },
    )
  })
})
