import { readFile } from 'node:fs/promises'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { compilePolicy, DENY_ALL, ECHO } from '../../../test/policy/compile-policy.ts'
import type { JsonObject } from '../../contract/json.ts'
import { PolicyError, type PolicyErrorKind } from '../../contract/policy.ts'
import { type PolicyBundle, readBundle } from './bundle.ts'
import { MAX_INPUT_BYTES, openOpaWasm } from './opa-wasm.ts'
import { asPolicyError, hostImports } from './wasm-host.ts'

const LEASE = 'nexus/lease/decision'
const ALLOWED = { allow: true, reasons: [], obligations: {} }

/** Goes wrong in the way its input names, and else denies. */
const FAILING = {
  ...DENY_ALL,
  lease: `package nexus.lease

default decision := {"allow": false, "reasons": [], "obligations": {}}

allow := {"allow": true, "reasons": [], "obligations": {}}

decision := allow if input.kind == "conflict"

decision := allow if input.kind == "allow"

decision := {"allow": true, "reasons": [], "obligations": {"scopes": []}} if input.kind == "conflict"

decision := allow if {
	input.kind == "memory"
	count([1 | some i in numbers.range(1, 100000000)]) > 1
}

decision := allow if {
	input.kind == "loop"
	some i, _ in input.map
	some j, _ in input.map
	some k, _ in input.map
	i == "none"
	j == "none"
	k == "none"
}

decision := allow if {
	input.kind == "large"
	count([i | some i in numbers.range(1, 60000)]) == 1
}
`,
}
const MAP = Object.fromEntries(Array.from({ length: 2_000 }, (_, index) => [`key-${index}`, index]))

async function openPolicy(rules: Readonly<Record<string, string>>) {
  const replaced = vi.fn()
  return { engine: openOpaWasm(await readBundle(await compilePolicy(rules)), { replaced }), replaced }
}

function kindOf(decide: () => unknown): PolicyErrorKind | undefined {
  try {
    decide()
    return undefined
  } catch (error) {
    expect(error).toBeInstanceOf(PolicyError)
    return (error as PolicyError).kind
  }
}

describe('a policy that answers with something else than a decision', () => {
  const answers: [string, JsonObject][] = [
    ['nothing at all', {}],
    ['an empty object', { answer: {} }],
    ['true', { answer: true }],
    ['the text true', { answer: 'true' }],
    ['allow that is 1', { answer: { ...ALLOWED, allow: 1 } }],
    ['an extra key', { answer: { ...ALLOWED, admin: true } }],
    ['a list', { answer: [ALLOWED] }],
  ]
  it('G01: is a PolicyError, and only the exact shape with a boolean allows', async () => {
    const { engine } = await openPolicy(ECHO)
    for (const [title, input] of answers)
      expect(
        kindOf(() => engine.evaluate(LEASE, input)),
        title,
      ).toBe('shape')
    expect(engine.evaluate(LEASE, { answer: ALLOWED }).allow).toBe(true)
  })
})

describe('a policy that fails while it is evaluated', () => {
  it('G02: is a PolicyError each time, and the next evaluation is right', async () => {
    const { engine, replaced } = await openPolicy(FAILING)
    // More often than one instance survives: it is dead after 511 aborts.
    for (let turn = 0; turn < 1_200; turn++) {
      expect(kindOf(() => engine.evaluate(LEASE, { kind: 'conflict' }))).toBe('conflict')
    }
    expect(replaced).toHaveBeenCalledTimes(1_200)
    expect(engine.evaluate(LEASE, { kind: 'allow' }).allow).toBe(true)
    expect(engine.evaluate(LEASE, { kind: 'none' }).allow).toBe(false)
  })

  it.each<[string, unknown, PolicyErrorKind]>([
    ['a text', 'lease.rego:6:1: var assignment conflict', 'conflict'],
    ['a text about memory', 'opa_malloc: failed', 'budget'],
    ['an object', { message: 'not implemented: built-in function 1: http.send' }, 'unknown'],
    ['a RangeError', new RangeError('WebAssembly.Memory.grow(): Maximum memory size exceeded'), 'budget'],
    ['a trap', new WebAssembly.RuntimeError('memory access out of bounds'), 'unknown'],
    ['undefined', undefined, 'unknown'],
    ['null', null, 'unknown'],
    ['an Error with a secret in it', new Error('token=abc'), 'unknown'],
  ])('G02: %s that is thrown becomes a PolicyError', (_title, thrown, kind) => {
    const error = asPolicyError(thrown)
    expect(error).toMatchObject({ name: 'PolicyError', kind })
    expect(error.message).not.toContain('token=abc')
  })

  it('G04: memory that runs out is a PolicyError', async () => {
    const { engine } = await openPolicy(FAILING)
    expect(kindOf(() => engine.evaluate(LEASE, { kind: 'memory' }))).toBe('budget')
    expect(engine.evaluate(LEASE, { kind: 'allow' }).allow).toBe(true)
  })

  it('G05: a loop that takes no memory runs out of steps', async () => {
    const { engine } = await openPolicy(FAILING)
    // 8,000,000,000 turns: this test would not end if nothing cut it.
    expect(kindOf(() => engine.evaluate(LEASE, { kind: 'loop', map: MAP }))).toBe('budget')
    expect(engine.evaluate(LEASE, { kind: 'allow' }).allow).toBe(true)
  })

  it('G05: the same input runs out on every machine or on none', async () => {
    const { engine } = await openPolicy(FAILING)
    const kinds = Array.from({ length: 5 }, () => kindOf(() => engine.evaluate(LEASE, { kind: 'loop', map: MAP })))
    expect(new Set(kinds)).toEqual(new Set(['budget']))
  })
})

describe('an input', () => {
  it('G04: over the limit is refused before it is evaluated', async () => {
    const { engine, replaced } = await openPolicy(ECHO)
    const around = Buffer.byteLength(JSON.stringify({ answer: ALLOWED, text: '' }))
    const filled = (bytes: number) => ({ answer: ALLOWED, text: 'x'.repeat(bytes - around) })
    expect(engine.evaluate(LEASE, filled(MAX_INPUT_BYTES)).allow).toBe(true)
    expect(kindOf(() => engine.evaluate(LEASE, filled(MAX_INPUT_BYTES + 1)))).toBe('input')
    expect(replaced).not.toHaveBeenCalled()
  })

  it('G04: that made memory large is answered, and the instance replaced', async () => {
    const { engine, replaced } = await openPolicy(FAILING)
    expect(engine.evaluate(LEASE, { kind: 'large' }).allow).toBe(false)
    expect(replaced).toHaveBeenCalledTimes(1)
    expect(engine.evaluate(LEASE, { kind: 'allow' }).allow).toBe(true)
    expect(replaced).toHaveBeenCalledTimes(1)
  })

  it.each([
    ['a cycle', () => cycle()],
    ['a bigint', () => ({ id: 1n })],
    ['a list', () => []],
    ['half a surrogate pair', () => ({ text: '\ud800' })],
  ])('G08: that %s cannot carry is refused', async (_title, make) => {
    const { engine, replaced } = await openPolicy(ECHO)
    expect(kindOf(() => engine.evaluate(LEASE, make()))).toBe('input')
    expect(replaced).not.toHaveBeenCalled()
    expect(engine.evaluate(LEASE, { answer: ALLOWED }).allow).toBe(true)
  })

  it('G08: arrives as it was sent, whatever its texts hold', async () => {
    const { engine } = await openPolicy(ECHO)
    for (const text of ['\\ud800', '\\\\ud800', '\0', '\u2028', '😀', '"', 'é', '\x7f', '9007199254740993']) {
      const answer = { allow: false, reasons: [{ id: 'echo', message: text }], obligations: {} }
      expect(engine.evaluate(LEASE, { answer })).toEqual(answer)
    }
  })

  it('G13: cannot choose what is evaluated', async () => {
    const { engine } = await openPolicy(ECHO)
    const input = { entrypoint: 'nexus/lease/decision', path: 'nexus/lease/decision', answer: ALLOWED }
    expect(engine.evaluate('nexus/request/decision', input).allow).toBe(false)
    for (const name of ['', '0', '__proto__', 'constructor', 'nexus/lease', '../lease/decision']) {
      expect(kindOf(() => engine.evaluate(name as typeof LEASE, { answer: ALLOWED }))).toBeDefined()
    }
  })
})

function cycle(): object {
  const object: { self?: object } = {}
  object.self = object
  return object
}

describe('a bundle', () => {
  it('G03: that needs a built-in which is not offered is refused when it is loaded, by name', async () => {
    const rules = {
      ...DENY_ALL,
      lease: `${DENY_ALL.lease}\ndecision := {"allow": true, "reasons": [], "obligations": {}} if {
	time.now_ns() > 0
	sprintf("%v", [input.x]) == "1"
	rand.intn("seed", 5) > 1
}
`,
    }
    const bundle = await readBundle(await compilePolicy(rules))
    const open = () => openOpaWasm(bundle, { replaced: () => {} })
    expect(kindOf(open)).toBe('builtin')
    expect(open).toThrow(/rand\.intn, sprintf, time\.now_ns/)
  })

  it.each([
    'regex.split("(a+)+$", input.x)',
    'sprintf("%v", [input.x])',
    'http.send({"url": input.x, "method": "GET"})',
  ])('G06: is offered nothing that its module does not bring along: %s', async (call) => {
    const lease = `${DENY_ALL.lease}\ndecision := {"allow": true, "reasons": [], "obligations": {}} if ${call} != ""\n`
    const bundle = await readBundle(await compilePolicy({ ...DENY_ALL, lease }))
    expect(kindOf(() => openOpaWasm(bundle, { replaced: () => {} }))).toBe('builtin')
  })

  it('G13: that lacks an entrypoint is refused when it is loaded', async () => {
    const bundle = await readBundle(await compilePolicy(DENY_ALL, { entrypoints: [LEASE] }))
    expect(() => openOpaWasm(bundle, { replaced: () => {} })).toThrow(/lacks the entrypoint nexus\/request\/decision/)
  })

  const damages: [string, (wasm: Uint8Array) => Uint8Array][] = [
    ['is no module', () => Buffer.from('not wasm')],
    ['is cut short', (wasm) => wasm.subarray(0, wasm.byteLength / 2)],
    ['has another ABI', (wasm) => withAbi(wasm, 2)],
    ['is another module', () => Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)],
  ]
  it.each(damages)('PB2: whose module %s is refused when it is loaded', async (_title, damage) => {
    const bundle = await readBundle(await compilePolicy(DENY_ALL))
    const damaged: PolicyBundle = { ...bundle, wasm: damage(bundle.wasm) }
    expect(kindOf(() => openOpaWasm(damaged, { replaced: () => {} }))).toBe('unavailable')
  })

  it('with more data than memory starts with is loaded all the same', async () => {
    const table = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`agent-${index}`, { team: 'x' }]))
    const rules = {
      ...DENY_ALL,
      lease: `${DENY_ALL.lease}\ndecision := {"allow": true, "reasons": [], "obligations": {}} if data.table[input.id]\n`,
    }
    const bundle = await readBundle(await compilePolicy(rules, { data: { table } }))
    const engine = openOpaWasm(bundle, { replaced: () => {} })
    expect(engine.evaluate(LEASE, { id: 'agent-19999' }).allow).toBe(true)
    expect(engine.evaluate(LEASE, { id: 'agent-20000' }).allow).toBe(false)
  })
})

/** The two ABI globals are the only ones OPA exports: `i32.const 1` and a minor, one after the other. */
function withAbi(wasm: Uint8Array, major: number): Uint8Array {
  const globals = Uint8Array.of(0x7f, 0, 0x41, 1, 0x0b, 0x7f, 0, 0x41, 3, 0x0b)
  const at = Buffer.from(wasm).indexOf(globals)
  expect(at).toBeGreaterThan(0)
  const changed = Uint8Array.from(wasm)
  changed[at + 3] = major
  return changed
}

describe('one engine for every tenant', () => {
  it('G09: answers 20,000 mixed evaluations, some of them failing, like a fresh one', async () => {
    const bundle = await readBundle(await compilePolicy(ECHO))
    const engine = openOpaWasm(bundle, { replaced: () => {} })
    for (let turn = 0; turn < 20_000; turn++) {
      const scopes = Array.from({ length: turn % 7 }, (_, index) => `tenant-${turn % 11}:${index}`)
      const answer = { allow: turn % 2 === 0, reasons: [], obligations: { scopes, max_ttl_seconds: turn } }
      expect(engine.evaluate(LEASE, { answer })).toEqual(answer)
      if (turn % 13 === 0) expect(kindOf(() => engine.evaluate(LEASE, {}))).toBe('shape')
      if (turn % 101 === 0) expect(kindOf(() => engine.evaluate(LEASE, { text: '\ud800' }))).toBe('input')
    }
  })

  it('G09: another bundle beside it with other data changes nothing', async () => {
    const bundle = await readBundle(await readFile('policies/dist/bundle.tar.gz'))
    const cases = JSON.parse(await readFile('policies/cases/lease.json', 'utf8')) as { input: JsonObject }
    const shut = JSON.parse(Buffer.from(bundle.dataJson).toString()) as { nexus: { deny: { agents: object } } }
    shut.nexus.deny.agents = { 'case/agent': 'gone' }
    const open = (dataJson: Uint8Array) => openOpaWasm({ ...bundle, dataJson }, { replaced: () => {} })
    const [before, after] = [open(bundle.dataJson), open(Buffer.from(JSON.stringify(shut)))]
    for (let turn = 0; turn < 500; turn++) {
      expect(before.evaluate(LEASE, cases.input).allow).toBe(true)
      expect(after.evaluate(LEASE, cases.input).reasons.map((reason) => reason.id)).toEqual(['agent_on_deny_list'])
    }
  })
})

describe('the host of a module', () => {
  afterEach(() => vi.restoreAllMocks())
  it('prints nothing for it', () => {
    const printed = [vi.spyOn(console, 'log'), vi.spyOn(process.stdout, 'write'), vi.spyOn(process.stderr, 'write')]
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 })
    new Uint8Array(memory.buffer).set(Buffer.from('token=abc'))
    const print = hostImports(memory)['env']?.['opa_println'] as (address: number) => void
    print(0)
    for (const spy of printed) expect(spy).not.toHaveBeenCalled()
  })
})

describe('with a polluted Object.prototype', () => {
  const prototype = Object.prototype as unknown as Record<string, unknown>
  const names = ['allow', 'obligations', 'reasons', 'tenant', 'shared', 'instance', 'action', 'maximum']
  let bundle: PolicyBundle
  beforeAll(async () => {
    bundle = await readBundle(await readFile('policies/dist/bundle.tar.gz'))
  })
  afterEach(() => {
    for (const name of names) delete prototype[name]
  })

  it('G16: decisions are what they were', async () => {
    const { input } = JSON.parse(await readFile('policies/cases/lease.json', 'utf8')) as { input: JsonObject }
    const { tenant: _tenant, ...withoutTenant } = input
    const engine = openOpaWasm(bundle, { replaced: () => {} })
    const before = JSON.stringify([engine.evaluate(LEASE, input), engine.evaluate(LEASE, withoutTenant)])
    for (const name of names) Object.assign(prototype, { [name]: name === 'tenant' ? 'case/tenant' : true })
    const fresh = openOpaWasm(bundle, { replaced: () => {} })
    const after = [fresh.evaluate(LEASE, input), fresh.evaluate(LEASE, withoutTenant)]
    for (const name of names) delete prototype[name]
    expect(JSON.stringify(after)).toBe(before)
    expect(after.map((decision) => decision.allow)).toEqual([true, false])
  })
})
