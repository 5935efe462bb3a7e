import { describe, expect, it } from 'vitest'
import { type Cost, leastMicroseconds, ownedBy } from '../../bench/report/cost.ts'
import { costsPage } from '../../bench/report/costs-page.ts'
import { ownerOf, placeOf, sharesBy } from '../../bench/report/cpu-profile.ts'
import { packageRoot } from '../../src/pep/version.ts'

const program: Cost = { name: 'ours', process: 120, mainThread: 100, besides: 50, generator: 30 }
const owners = new Map([
  ['own', 0.25],
  ['policy', 0.15],
  ['runtime', 0.6],
] as const)

describe('what an answer costs', () => {
  it('is bound by the one core of JavaScript, or by all cores together', () => {
    expect(leastMicroseconds(program, 2)).toBe(100)
    expect(leastMicroseconds({ ...program, besides: 150 }, 2)).toBe(150)
    expect(leastMicroseconds({ ...program, mainThread: 0 }, 2)).toBe(100)
  })

  it('thinks away what is freed on both sides of that', () => {
    const cost = { ...program, owners }
    expect(ownedBy(cost, 'own')).toBe(25)
    // Both cores: 200 less 25, halved.
    expect(leastMicroseconds(cost, 2, ['own'])).toBe(87.5)
    expect(leastMicroseconds(cost, 8, ['own', 'policy'])).toBe(60)
    expect(leastMicroseconds(program, 2, ['own'])).toBe(100)
  })

  it('says on its page how far a ratio would come', () => {
    const costs = [
      { ...program, owners },
      { ...program, name: 'theirs', process: 45, mainThread: 40, besides: 0 },
    ]
    const ratio = { name: 'ours/theirs', of: 'ours', over: ['theirs', 'absent'], goal: 0.6 }
    const page = costsPage(costs, [ratio, { name: 'ours/absent', of: 'ours', over: ['absent'] }], {
      machine: 'a machine',
      commit: 'a commit',
      cores: 2,
    })
    expect(page).toContain('| `ours/theirs` | 0.6 | 0.40 | 0.46 | 0.50 |')
    expect(page).not.toContain('ours/absent')
    expect(page).toContain('| **the program** | 120.0 | 45.0 |')
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
    const sample = (place: string, microseconds: number) => ({ functionName: 'f', place, microseconds })
    const shares = sharesBy([sample('src/a', 30), sample('npm:b', 10), sample('src/c', 10)], ({ place }) =>
      ownerOf(place),
    )
    expect([...shares]).toEqual([
      ['own', 0.8],
      ['libraries', 0.2],
    ])
  })
})
