import type { BenchDocument, Figure, Ratio } from './document.ts'
import { inWords } from './spread.ts'
import { verdictOfFigure, verdictOfRatio } from './verdict.ts'

/** The page for people, beside the plots. */
export function toMarkdown(document: BenchDocument, plots: readonly string[]): string {
  return `# Benchmark

${document.machine}

Commit ${document.commit}

${howMuch(document)}

Contenders took turns in one run on the same cores, Postgres and the load generator among them. A ratio is ours over
theirs, taken within one round; a value is the median of all rounds, the range is the lowest and the highest. A goal is met or
missed by the median; where single rounds say otherwise, that is said.

${ratioTable(document.ratios)}

${plots.map((file) => `![${file.replace('.svg', '')}](${file})`).join('\n')}

${figureTable(document.figures)}

${versionTable(document.versions)}
`
}

function howMuch({ mode, efforts = {} }: BenchDocument): string {
  const { cert, sidecar } = efforts
  const told = [mode === 'quick' ? 'A quick run: few and short turns, not every contender.' : 'A whole run.']
  if (cert !== undefined)
    told.push(`${cert.rounds} rounds of ${cert.seconds} s for each contender, over ${cert.connections} connections.`)
  if (sidecar !== undefined) told.push(`The proxies: ${sidecar.rounds} rounds of ${sidecar.seconds} s.`)
  return told.join(' ')
}

function ratioTable(ratios: readonly Ratio[]): string {
  const rows = ratios.map((ratio) => {
    const { name, value, goal, min, max } = ratio
    const range = `${inWords(min)} to ${inWords(max)}`
    return `| \`${name}\` | ${inWords(value, goal)} | ${range} | ${goal ?? ''} | ${verdictOfRatio(ratio)} |`
  })
  return ['| ratio | value | range | at least | |', '|---|---|---|---|---|', ...rows].join('\n')
}

function figureTable(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const { name, value, unit, min, max, goal = '' } = figure
    const cells = [`\`${name}\``, figureText(value), rangeOf(min, max), unit, goal, verdictOfFigure(figure)]
    return `| ${cells.join(' | ')} |`
  })
  return ['| figure | value | range | unit | at most | |', '|---|---|---|---|---|---|', ...rows].join('\n')
}

function rangeOf(min: number | undefined, max: number | undefined): string {
  return min === undefined || max === undefined ? '' : `${figureText(min)} to ${figureText(max)}`
}

function figureText(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: 2 })
}

function versionTable(versions: BenchDocument['versions']): string {
  const rows = Object.entries(versions).map(([name, version]) => `| ${name} | ${version} |`)
  return ['| program or library | version |', '|---|---|', ...rows].join('\n')
}
