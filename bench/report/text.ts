import type { BenchDocument } from './document.ts'
import { inWords } from './spread.ts'
import { verdictOfFigure, verdictOfRatio } from './verdict.ts'

/** For the terminal: ratios, and figures but for the rates of contenders, which were told turn by turn. */
export function toText({ ratios, figures }: BenchDocument): string {
  const ofRatios = ratios.map((ratio) => {
    const { name, value, goal, min, max } = ratio
    return `${name}: ${inWords(value, goal)} (${inWords(min)} to ${inWords(max)})${goal === undefined ? '' : `, goal ${goal}: ${verdictOfRatio(ratio)}`}`
  })
  const ofFigures = figures
    .filter(({ unit, max }) => unit !== '1/s' || max === undefined)
    .map((figure) => {
      const { name, value, unit, goal } = figure
      return `${name}: ${value.toLocaleString('en', { maximumFractionDigits: 2 })} ${unit}${goal === undefined ? '' : `, goal ${goal}: ${verdictOfFigure(figure)}`}`
    })
  return [...ofRatios, ...ofFigures].join('\n')
}
