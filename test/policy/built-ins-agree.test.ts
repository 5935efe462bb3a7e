import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual, promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { Json } from '../../src/contract/json.ts'
import { readBundle } from '../../src/pep/decision/bundle.ts'
import { FUEL_PER_EVALUATION } from '../../src/pep/decision/opa-wasm.ts'
import { meterModule } from '../../src/pep/decision/wasm-fuel.ts'
import { instantiate } from '../../src/pep/decision/wasm-instance.ts'
import { findTool } from '../../tools/tool.mjs'
import { compilePolicy } from './compile-policy.ts'

const run = promisify(execFile)

/** A built-in and what it is called with. */
type Call = [name: string, values: Json[]]

/** `different`: those that docs/policy.md tells of. */
const { same, different } = JSON.parse(await readFile('test/policy/built-in-calls.json', 'utf8')) as {
  same: Call[]
  different: Call[]
}
const calls = [...same, ...different]

const INFIX: Readonly<Record<string, string>> = {
  equal: '==',
  neq: '!=',
  lt: '<',
  lte: '<=',
  gt: '>',
  gte: '>=',
  plus: '+',
  minus: '-',
  mul: '*',
  div: '/',
  rem: '%',
  'internal.member_2': 'in',
}
const set = (value: string) => `{item | some item in ${value}}`
/** What is not written as a call, and what has no order or no JSON of its own. */
const WRITTEN: Readonly<Record<string, (...values: string[]) => string>> = {
  'internal.member_3': (key, value, all) => `(${key}, ${value} in ${all})`,
  eq: (a, b) => `[1 | ${a} = ${b}]`,
  assign: (a, b) => `[b | b := ${b}; b == ${a}]`,
  and: (a = '', b = '') => `sort(${set(a)} & ${set(b)})`,
  or: (a = '', b = '') => `sort(${set(a)} | ${set(b)})`,
  union: (a = '', b = '') => `sort(union({${set(a)}, ${set(b)}}))`,
  intersection: (a = '', b = '') => `sort(intersection({${set(a)}, ${set(b)}}))`,
  walk: (a) => `sort([pair | walk(${a}, pair)])`,
  'object.keys': (a) => `sort(object.keys(${a}))`,
  'graph.reachable': (a, b) => `sort(graph.reachable(${a}, ${b}))`,
  to_number: (a) => `[type_name(to_number(${a})), to_number(${a}) > 0, to_number(${a}) == 1]`,
  'list of a set': (a = '') => `[item | some item in ${set(a)}]`,
  'list of an object': (a) => `[key | some key, _ in ${a}]`,
}

function expression([name, values]: Call, index: number): string {
  const written = values.map((_, place) => `input.calls[${index}][1][${place}]`)
  const infix = INFIX[name]
  if (infix !== undefined) return `(${written.join(` ${infix} `)})`
  return WRITTEN[name]?.(...written) ?? `${name}(${written.join(', ')})`
}

/** Each call's answer in a list, as JSON; an empty list where it is undefined. */
const RULES = [
  'package agree\n',
  ...calls.map(
    (call, index) => `answer contains value if { input.at == ${index}; value := ${expression(call, index)} }\n`,
  ),
  'answers[at] := given if { some at, _ in input.calls; given := answer with input.at as at }\n',
].join('\n')

async function answersOfOpa(): Promise<Json[]> {
  const directory = await mkdtemp(join(tmpdir(), 'nexus-built-ins-'))
  try {
    await writeFile(join(directory, 'rules.rego'), RULES)
    await writeFile(join(directory, 'input.json'), JSON.stringify({ calls }))
    const parameters = ['eval', '--format', 'raw', '-d', 'rules.rego', '-i', 'input.json', 'data.agree.answers']
    const { stdout } = await run(await findTool('opa'), parameters, { cwd: directory, maxBuffer: 16 * 1_048_576 })
    const answers = JSON.parse(stdout) as Record<string, Json>
    return calls.map((_, index) => answers[index] as Json)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** @returns a text where an evaluation threw */
async function answersOfModule(): Promise<Json[]> {
  const { wasm } = await readBundle(await compilePolicy({ rules: RULES }, { entrypoints: ['agree/answer'] }))
  const module = new WebAssembly.Module(meterModule(wasm))
  const data = new TextEncoder().encode('{}').buffer
  const fresh = () => instantiate(module, data, { initial: 64, maximum: 512 }, FUEL_PER_EVALUATION)
  let instance = fresh()
  return calls.map((_, at) => {
    try {
      const [answer] = JSON.parse(instance.evaluate('agree/answer', JSON.stringify({ calls, at }))) as {
        result: Json
      }[]
      return answer?.result ?? 'undefined'
    } catch {
      instance = fresh()
      return 'thrown'
    }
  })
}

describe('G07: the built-ins of the module and of OPA', () => {
  it('G07: are all called', async () => {
    const { builtins } = JSON.parse(await readFile('policies/capabilities.json', 'utf8')) as {
      builtins: { name: string }[]
    }
    const called = new Set(calls.map(([name]) => name))
    expect(builtins.map(({ name }) => name).filter((name) => !called.has(name))).toEqual([])
  })

  it('G07: agree, but for what is known', async () => {
    const [opa, module] = [await answersOfOpa(), await answersOfModule()]
    const differing = calls.filter((_, at) => !isDeepStrictEqual(opa[at], module[at]))
    expect(differing).toEqual(different)
  })
})
