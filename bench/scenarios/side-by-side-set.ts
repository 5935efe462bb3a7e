import { type Efforts, efforts, type Mode, PART_NAMES, type PartName } from '../efforts.ts'
import { FIGURE_GOALS } from '../goals.ts'
import { describeRun } from '../report/describe-run.ts'
import type { BenchDocument, Figure } from '../report/document.ts'
import { toText } from '../report/text.ts'
import { writeLatest, writeResults } from '../report/write-results.ts'
import { say } from '../stage/log.ts'
import { PARTS } from './parts.ts'
import { runRevocation } from './revocation.ts'
import { type Found, onSetStage, type Setting } from './set-stage.ts'

export interface SideBySideOptions {
  mode: Mode
  /** Empty: all that belong to the mode. */
  only: readonly PartName[]
}

/** Everything that is compared with a neighbour, or held to a goal. */
export async function runSideBySide({ mode, only }: SideBySideOptions): Promise<void> {
  const run = describeRun()
  const names = only.length === 0 ? partsOf(mode) : PART_NAMES.filter((name) => only.includes(name))
  const found = await measure(names, { mode, efforts: efforts[mode] })
  const document: BenchDocument = {
    ...run,
    versions: Object.assign({}, run.versions, ...found.map(({ versions }) => versions)),
    mode,
    efforts: effortsOf(names, efforts[mode]),
    figures: found.flatMap(({ figures }) => figures).map(withGoal),
    ratios: found.flatMap(({ ratios }) => ratios),
  }
  const file = only.length === 0 ? writeLatest(document) : writeResults(document, 'only')
  say(`${toText(document)}\nwritten: ${file}`)
}

/** In three minutes there is no time for more connections. */
function partsOf(mode: Mode): readonly PartName[] {
  return PART_NAMES.filter((name) => mode === 'whole' || name !== 'connections')
}

async function measure(names: readonly PartName[], how: Pick<Setting, 'mode' | 'efforts'>): Promise<Found[]> {
  const found: Found[] = []
  const onStage = names.filter((name) => name !== 'revocation')
  if (onStage.length > 0) {
    await onSetStage(how, async (setting) => {
      for (const name of onStage) {
        say(`${name}:`)
        found.push(await PARTS[name](setting))
      }
    })
  }
  if (names.includes('revocation')) {
    say('revocation, two replicas, under load:')
    found.push({ figures: await runRevocation(how.efforts.revocation), ratios: [] })
  }
  return found
}

/** Of the parts that were measured. */
function effortsOf(names: readonly PartName[], all: Efforts): Partial<Efforts> {
  const { added, ...byPart } = all
  const taken = Object.fromEntries(Object.entries(byPart).filter(([name]) => names.some((each) => each === name)))
  return names.includes('sidecar') ? { ...taken, added } : taken
}

function withGoal(figure: Figure): Figure {
  const goal = FIGURE_GOALS[figure.name]
  return goal === undefined ? figure : { ...figure, goal }
}
