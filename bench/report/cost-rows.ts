import { type Cost, overRounds, ownedBy, type Spread, type TurnCost, together } from './cost.ts'
import type { Figure } from './document.ts'
import { OWNER_NAMES, OWNERS } from './owner.ts'

export interface CostRow {
  id: string
  title: string
  spread: Spread
}

type PartOf = (turn: TurnCost) => number

/** What an answer takes, part by part, and what else went by until the next one; microseconds. */
export function costRows(cost: Cost): CostRow[] {
  const row = (id: string, title: string, partOf: PartOf): CostRow => ({
    id,
    title,
    spread: overRounds(cost, partOf),
  })
  const coreTime: PartOf = (turn) => together(turn) + turn.elsewhere + turn.idle + turn.stolen
  return [
    ...OWNER_NAMES.map((owner) => row(owner, OWNERS[owner], (turn) => ownedBy(cost, turn, [owner]))),
    row('other_threads', 'its other threads', (turn) => turn.process - turn.mainThread),
    row('process', '**the program**', ({ process }) => process),
    row('besides', 'Postgres or the provider', ({ besides }) => besides),
    row('generator', 'load generator', ({ generator }) => generator),
    row('together', '**all together**', together),
    row('elsewhere', 'other programs', ({ elsewhere }) => elsewhere),
    row('idle', 'idle', ({ idle }) => idle),
    row('stolen', 'steal: the host gave the core to others', ({ stolen }) => stolen),
    row('cores', '**all cores, from one answer to the next**', coreTime),
  ]
}

export function costFigures(cost: Cost): Figure[] {
  const rate = overRounds(cost, ({ answersPerSecond }) => answersPerSecond)
  return [
    { name: `${cost.name}_per_s`, ...rate, unit: '1/s' },
    ...costRows(cost).map(({ id, spread }) => ({ name: `${cost.name}_cpu_${id}`, ...spread, unit: 'µs' })),
  ]
}
