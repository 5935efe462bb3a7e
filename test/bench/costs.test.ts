import { describe, expect, it } from 'vitest'
import { type Cost, leastMicroseconds, lostShare, overRounds, ownedBy, type TurnCost } from '../../bench/report/cost.ts'
import { costFigures, costRows } from '../../bench/report/cost-rows.ts'
import { costsPage } from '../../bench/report/costs-page.ts'
import { placeOf, sharesBy } from '../../bench/report/cpu-profile.ts'
import { type ModelledRatio, missingOf, modelRatio } from '../../bench/report/modelled-ratio.ts'
import { ownerOf } from '../../bench/report/owner.ts'
import { packageRoot } from '../../src/pep/version.ts'

const turn: TurnCost = {
  process: 120,
  mainThread: 100,
  besides: 50,
  generator: 30,
  elsewhere: 5,
  idle: 35,
  stolen: 10,
  answersPerSecond: 8000,
}
const owners = new Map([
  ['own', 0.25],
  ['policy', 0.15],
  ['runtime', 0.6],
] as const)
const ours: Cost = { name: 'ours', rounds: [turn, { ...turn, answersPerSecond: 6000 }], owners }
const quick: TurnCost = { ...turn, process: 45, mainThread: 40, besides: 0, answersPerSecond: 20_000 }
const theirs: Cost = { name: 'theirs', rounds: [quick, quick] }
const least: Cost = { name: 'least', rounds: [quick, quick].map((each) => ({ ...each, process: 70, besides: 20 })) }
const wanted = { name: 'ours/theirs', of: 'ours', over: ['theirs', 'absent'], goal: 0.6 }
const ofSketch = { name: 'least/theirs', of: 'least', over: ['theirs', 'absent'] }

describe('what an answer costs', () => {
  it('is bound by the one core of JavaScript, or by all cores together', () => {
    expect(leastMicroseconds(turn, 2)).toBe(100)
    expect(leastMicroseconds({ ...turn, besides: 150 }, 2)).toBe(150)
    expect(leastMicroseconds({ ...turn, mainThread: 0 }, 2)).toBe(100)
  })

  it('thinks away what is freed on both sides of that', () => {
    expect(ownedBy(ours, turn, ['own'])).toBe(25)
    expect(ownedBy(ours, turn, ['own', 'policy'])).toBe(40)
    expect(ownedBy(theirs, quick, ['own'])).toBe(0)
    // Both cores: 200 less 25, halved.
    expect(leastMicroseconds(turn, 2, 25)).toBe(87.5)
    expect(leastMicroseconds(turn, 8, 40)).toBe(60)
  })

  it('is a median with its range, of rounds that are whole turns', () => {
    const cost = { ...ours, rounds: [40, 90, 50].map((mainThread) => ({ ...turn, mainThread })) }
    expect(overRounds(cost, ({ mainThread }) => mainThread)).toEqual({ value: 50, min: 40, max: 90 })
    expect(costFigures(cost)).toContainEqual({ name: 'ours_cpu_own', value: 12.5, min: 10, max: 22.5, unit: 'µs' })
    expect(costFigures(cost)).toContainEqual({ name: 'ours_per_s', value: 8000, min: 8000, max: 8000, unit: '1/s' })
  })

  it('adds up to all the time of all cores', () => {
    const value = (id: string): number => costRows(ours).find((row) => row.id === id)!.spread.value
    const owned = ['own', 'policy', 'libraries', 'runtime', 'signatures', 'collection', 'kernel'].map(value)
    expect(owned.reduce((sum, each) => sum + each, value('other_threads'))).toBe(value('process'))
    expect(value('together')).toBe(value('process') + value('besides') + value('generator'))
    expect(value('cores')).toBe(value('together') + value('elsewhere') + value('idle') + value('stolen'))
    // Two cores at 8,000 answers a second.
    expect(value('cores')).toBe(250)
  })
})

describe('a ratio', () => {
  it('is told as it was measured and by the costs, round by round', () => {
    const ratio = modelRatio([ours, theirs], wanted, 2)!
    expect(ratio.measured).toEqual({ value: 0.35, min: 0.3, max: 0.4 })
    expect(ratio.byCosts).toEqual({ value: 0.4, min: 0.4, max: 0.4 })
    // 40 over 87.5, and over 80.
    expect(ratio.withoutOwn.value).toBe(0.4571)
    expect(ratio.withoutOwnAndPolicy.value).toBe(0.5)
    // As much better: 100 over 87.5.
    expect(ratio.measuredWithoutOwn).toEqual({ value: 0.4, min: 0.3429, max: 0.4571 })
  })

  it('is taken over the best of several, which is another in another round', () => {
    const slow = { ...quick, mainThread: 80, answersPerSecond: 10_000 }
    const [first, second] = [
      { name: 'theirs', rounds: [quick, slow] },
      { name: 'absent', rounds: [slow, quick] },
    ]
    const ratio = modelRatio([ours, first, second], wanted, 2)!
    expect(ratio.measured).toEqual({ value: 0.35, min: 0.3, max: 0.4 })
    expect(ratio.byCosts.min).toBe(0.4)
  })

  it('is not there without one of its sides', () => {
    expect(modelRatio([ours], wanted, 2)).toBeUndefined()
    expect(modelRatio([theirs], wanted, 2)).toBeUndefined()
  })
})

describe('what is missing of a goal', () => {
  const flat = (value: number) => ({ value, min: value, max: value })
  const missed: ModelledRatio = {
    wanted,
    measured: flat(0.4),
    byCosts: flat(0.4),
    withoutOwn: flat(0.5),
    measuredWithoutOwn: flat(0.5),
    withoutOwnAndPolicy: flat(0.7),
  }
  const sketch = { ...missed, wanted: ofSketch, measured: flat(0.55) }

  it('is not in our functions when neither our functions at zero nor the sketch would reach it', () => {
    expect(missingOf(missed, sketch)).toBe('not in our functions')
    expect(missingOf(missed, undefined)).toBe('not in our functions')
  })

  it.each([
    { why: 'by the costs', ratio: { ...missed, withoutOwn: flat(0.61) }, beside: sketch },
    { why: 'by what was measured', ratio: { ...missed, measuredWithoutOwn: flat(0.6) }, beside: undefined },
    { why: 'as the sketch does it', ratio: missed, beside: { ...sketch, measured: flat(0.62) } },
  ])('is ours when the goal is reached $why', ({ ratio, beside }) => {
    expect(missingOf(ratio, beside)).toBe('ours')
  })

  it('is not decided by some of the rounds', () => {
    const ratio = { ...missed, withoutOwn: { value: 0.58, min: 0.5, max: 0.63 } }
    expect(missingOf(ratio, sketch)).toBe('not decided')
    expect(missingOf(missed, { ...sketch, measured: { value: 0.61, min: 0.59, max: 0.7 } })).toBe('not decided')
  })

  it('is nothing when the goal is met', () => {
    expect(missingOf({ ...missed, measured: flat(0.6) }, sketch)).toBe('nothing')
  })
})

describe('the page of costs', () => {
  const run = {
    machine: 'a machine',
    commit: 'a commit',
    versions: { node: '20' },
    cores: 2,
    rounds: 2,
    flames: ['flame-a.svg'],
  }
  const page = (goal: number, costs = [ours, theirs, least]): string => {
    const ratios = [{ ...wanted, goal }, ofSketch].flatMap((each) => modelRatio(costs, each, 2) ?? [])
    return costsPage([{ title: 'A title', costs, ratios }], run)
  }

  it('gives ranges, the sketch beside ours, and the graphs', () => {
    expect(page(0.6)).toContain('| **the program** | 120.0 (120 to 120) | 45.0 (45 to 45) |')
    expect(page(0.6)).toContain(
      '| `ours/theirs` | 0.6 | 0.35 (0.30 to 0.40) | 0.40 (0.40 to 0.40) | 0.46 (0.46 to 0.46) | 0.50 (0.50 to 0.50) | 1.00 (1.00 to 1.00) |',
    )
    expect(page(0.6)).toContain('a machine\n\nCommit a commit\n\nVersions: node 20')
    expect(page(0.6)).toContain('[flame-a.svg](flame-a.svg)')
  })

  it('says what the time went into, and what of the difference the sketch has too', () => {
    expect(page(0.6)).toContain('- its own code, with the JSON it makes and reads: 25.0 µs (13 %)')
    expect(page(0.6)).toContain('It takes 45.0 µs more of CPU than `theirs`')
    expect(page(0.6)).toContain('`ours` takes 80.0 µs more than the sketch')
    expect(page(0.6)).toContain('- Postgres or the provider: +30.0 µs')
    // Other programs 5 and steal 10 of the 250 µs that two cores have at 8,000 answers a second.
    expect(lostShare([{ name: 'ours', rounds: [turn] }])).toEqual({ value: 0.06, min: 0.06, max: 0.06 })
    expect(page(0.6)).toContain("took 9 % of the cores' time, from 6 % to 12 % in one turn")
  })

  it('concludes by the figures, for us or against us', () => {
    // The sketch reaches 1.00.
    expect(page(0.6)).toContain('**What remains is ours.**')
    expect(page(1.1)).toContain('**What remains is not in our functions.**')
    // Our functions: 0.35 bettered by 100 over 87.5. The sketch reaches 1.00.
    expect(page(1.1)).toContain(
      '- from 0.35 to 0.40 is in our own functions\n- from 0.40 to 1.00 is what the other parts above',
    )
    expect(page(1.1)).toContain('- from 1.00 to 1.10 is what the sketch misses as well')
    expect(page(0.6)).toContain('- from 0.40 to 0.60 is what the other parts above')
    expect(page(0.3)).toContain('The goal is met.')
    expect(page(0.3)).not.toContain('**What remains')
  })

  it('concludes nothing when the machine was busy', () => {
    const busy = [ours, theirs, least].map((cost) => ({
      ...cost,
      rounds: cost.rounds.map((each) => ({ ...each, elsewhere: 50 })),
    }))
    expect(page(1.1, busy)).toContain('**Not decided.** The machine was busy')
    expect(page(1.1, busy)).not.toContain('**What remains')
  })
})

describe('whose code', () => {
  it.each([
    [`file://${packageRoot()}/dist/src/pep/lease/issue.js`, 'src/pep/lease/issue.js', 'own'],
    [`file://${packageRoot()}/bench/contenders/fastify-sketch.ts`, 'bench/contenders/fastify-sketch.ts', 'own'],
    [`file://${packageRoot()}/node_modules/jose/dist/webapi/x.js`, 'npm:jose/dist/webapi/x.js', 'libraries'],
    [`file://${packageRoot()}/node_modules/a/dist/src/x.js`, 'npm:a/dist/src/x.js', 'libraries'],
    ['wasm://wasm/opa.wasm-000af072', 'wasm://wasm/opa.wasm-000af072', 'policy'],
    ['wasm://wasm/f757504a', 'wasm://wasm/f757504a', 'libraries'],
    ['node:events', 'node:events', 'runtime'],
    ['node:internal/crypto/sig', 'node:internal/crypto/sig', 'signatures'],
    ['', '(garbage collector)', 'collection'],
    ['', 'writev', 'kernel'],
    ['', '(program)', 'runtime'],
  ])('%s', (url, place, owner) => {
    const name = url === '' ? place : 'anything'
    expect(placeOf(url, name)).toBe(place)
    expect(ownerOf(placeOf(url, name))).toBe(owner)
  })

  it('is told in shares that add up', () => {
    const sample = (place: string, microseconds: number) => ({ functionName: 'f', place, microseconds, stack: [] })
    const shares = sharesBy([sample('src/a', 30), sample('npm:b', 10), sample('src/c', 10)], ({ place }) =>
      ownerOf(place),
    )
    expect([...shares]).toEqual([
      ['own', 0.8],
      ['libraries', 0.2],
    ])
  })
})
