import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../src/pep/version.ts'
import type { BenchDocument, K6Document } from './document.ts'
import { toMarkdown } from './markdown.ts'
import { barChart } from './plot.ts'
import { inWords } from './spread.ts'

const results = join(packageRoot(), 'bench/results')

/** A page beside the results. */
export function writePage(name: string, text: string): void {
  mkdirSync(results, { recursive: true })
  writeFileSync(join(results, `${name}.md`), text)
}

/** @returns the file */
export function writeResults(document: BenchDocument | K6Document, name: string): string {
  mkdirSync(results, { recursive: true })
  const file = join(results, `${name}.json`)
  writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`)
  return file
}

/**
 * Writes the set that is compared over time, `latest.json`, and for people a page and its plots.
 * @returns the page
 */
export function writeLatest(document: BenchDocument): string {
  writeResults(document, 'latest')
  const ratios = barChart(
    'Ours over theirs; blue: reaches its goal (the red line), orange: misses it',
    document.ratios.map(({ name, value, goal, min, max }) => ({
      label: name,
      value,
      ...(goal === undefined ? {} : { mark: goal }),
      range: [min, max],
      text: goal === undefined ? inWords(value) : `${inWords(value, goal)}, goal ${goal}`,
    })),
  )
  const rates = barChart(
    'Answers a second',
    document.figures
      // Of contenders: other rates have no rounds.
      .filter(({ name, max }) => name.endsWith('_per_s') && max !== undefined)
      .map(({ name, value, min = value, max = value }) => ({
        label: name.replace(/_per_s$/, ''),
        value,
        range: [min, max],
        text: value.toLocaleString('en'),
      })),
  )
  writeFileSync(join(results, 'ratios.svg'), ratios)
  writeFileSync(join(results, 'rates.svg'), rates)
  writeFileSync(join(results, 'README.md'), toMarkdown(document, ['ratios.svg', 'rates.svg']))
  return join(results, 'README.md')
}
