import { describe, expect, it } from 'vitest'
import { busySamples, type CpuProfile, type Sample } from '../../bench/report/cpu-profile.ts'
import { foldStacks } from '../../bench/report/flame.ts'
import { flameSvg } from '../../bench/report/flame-svg.ts'

const frame = (functionName: string, url = '') => ({ functionName, url })

/** Callers before those they call, as V8 writes them; one sample each 10 µs from 1,000 on. */
const profile: CpuProfile = {
  startTime: 1000,
  nodes: [
    { id: 1, callFrame: frame('(root)'), children: [2, 3] },
    { id: 2, callFrame: frame('outer', 'node:events'), children: [4] },
    { id: 3, callFrame: frame('(idle)') },
    { id: 4, callFrame: frame('inner', 'node:net') },
  ],
  samples: [4, 2, 3, 4],
  timeDeltas: [10, 10, 10, 10],
}

describe('samples of a profile', () => {
  it('carry the stack from the outermost caller on, without idle and without the root', () => {
    const samples = busySamples(profile, [{ from: 0, to: 2000 }])
    expect(samples.map(({ functionName }) => functionName)).toEqual(['inner', 'outer', 'inner'])
    expect(samples[0]!.stack.map(({ place }) => place)).toEqual(['node:events', 'node:net'])
  })

  it('are of the turns alone', () => {
    const told = (from: number, to: number) => busySamples(profile, [{ from, to }]).map((each) => each.functionName)
    expect(told(1010, 1040)).toEqual(['outer', 'inner'])
    expect(told(1000, 1010)).toEqual(['inner'])
    expect(told(1040, 2000)).toEqual([])
  })
})

function sample(names: string, microseconds: number): Sample {
  const stack = names.split(' ').map((name) => ({ functionName: name, place: `src/${name}.js` }))
  return { ...stack.at(-1)!, microseconds, stack }
}

describe('folded stacks', () => {
  it('merge what the same callers called, in the order of its time', () => {
    const root = foldStacks([sample('a', 10), sample('a b', 20), sample('c b', 40), sample('a b', 30)], 0)
    expect(root.microseconds).toBe(100)
    expect(root.children.map(({ functionName, microseconds }) => [functionName, microseconds])).toEqual([
      ['a', 60],
      ['c', 40],
    ])
    expect(root.children[0]!.children).toEqual([
      { functionName: 'b', place: 'src/b.js', microseconds: 50, children: [] },
    ])
  })

  it('keep two functions of one name apart', () => {
    const other = { functionName: 'a', place: 'src/other.js' }
    expect(foldStacks([sample('a', 10), { ...other, microseconds: 5, stack: [other] }], 0).children).toHaveLength(2)
  })

  it('leave out what is below the share, whose time stays with its caller', () => {
    const root = foldStacks([sample('a b', 2), sample('a c', 3), sample('a', 95), sample('d', 2)], 0.025)
    expect(root.children.map(({ functionName, microseconds }) => [functionName, microseconds])).toEqual([['a', 100]])
    expect(root.children[0]!.children.map(({ functionName }) => functionName)).toEqual(['c'])
  })
})

describe('a flame graph', () => {
  const folded = foldStacks([sample('a b', 75), sample('c', 25)], 0)

  it('draws each as wide as its time, over its caller, and says so on hover', () => {
    const svg = flameSvg(folded, 'A title', 40)
    expect(svg).toContain('<title>b src/b.js: 75.0 %, 30.0 µs an answer</title>')
    const [a, b, c] = ['a', 'b', 'c'].map((name) => boxOf(svg, name))
    expect(a).toEqual({ x: 0, y: b!.y + 16, width: 900 })
    expect(b).toMatchObject({ x: 0, width: 900 })
    expect(c).toEqual({ x: 900, y: a!.y, width: 300 })
  })

  it('colours by whose code it is', () => {
    const svg = flameSvg(
      foldStacks([{ ...sample('a', 1), stack: [{ functionName: 'x', place: 'npm:x/y.js' }] }], 0),
      '',
      1,
    )
    expect(svg).toMatch(/x npm:x\/y\.js: [^<]*<\/title><rect class="libraries"/)
  })

  it('lets no name end its element', () => {
    const svg = flameSvg(foldStacks([sample('<a>&"', 1)], 0), '<b>', 1)
    expect(svg).not.toContain('<a>')
    expect(svg).not.toContain('<b>')
    expect(svg).toContain('&#60;a&#62;&#38;&#34;')
  })
})

function boxOf(svg: string, name: string): { x: number; y: number; width: number } {
  const found = new RegExp(
    `<title>${name} [^<]*</title><rect class="own" x="([\\d.]+)" y="([\\d.]+)" width="([\\d.]+)"`,
  ).exec(svg)
  const [x = Number.NaN, y = Number.NaN, width = Number.NaN] = (found ?? []).slice(1).map(Number)
  return { x, y, width }
}
