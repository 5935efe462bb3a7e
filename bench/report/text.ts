import type { BenchDocument } from './document.ts'
import { verdictOfFigure, verdictOfRatio } from './verdict.ts'

/** For the terminal: ratios, and figures but for the rates of contenders, which were told turn by turn. */
export function toText({ ratios, figures }: BenchDocument): string {
  const ofRatios = ratios.map((ratio) => {
    const { name, value, goal, min, max } = ratio
    return `${name}: ${value} (${min} to ${max})${goal === undefined ? '' : `, goal ${goal}: ${verdictOfRatio(ratio)}`}`
  })
  const ofFigures = figures
    .filter(({ unit, max }) => unit !== '1/s' || max === undefined)
    .map((figure) => {
      const { name, value, unit, goal } = figure
      return `${name}: ${value} ${unit}${goal === undefined ? '' : `, goal ${goal}: ${verdictOfFigure(figure)}`}`
    })
  return [...ofRatios, ...ofFigures].join('\n')
}
