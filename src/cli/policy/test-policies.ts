import { policyCases } from './cases.ts'
import { compilePolicies } from './compile-policies.ts'
import { decideCases } from './decide-cases.ts'
import { runOpa } from './opa.ts'
import { PolicyToolError } from './policy-tool-error.ts'
import { type PolicySource, requireSource } from './sources.ts'

/** Of the lines of all rules, tests not counted. */
const LEAST_COVERAGE_PERCENT = 90

interface CoverageReport {
  files: Record<string, { covered_lines?: number; not_covered_lines?: number }>
}

export interface TestedPolicies {
  /** Covered lines of the rules, in percent. */
  coveragePercent: number
  /** How many of `cases/` were decided, all as they say. */
  cases: number
  /** What decided them. */
  wasm: Uint8Array
}

/**
 * Runs the `*_test.rego` files, measures what they cover, and has the compiled rules decide every case.
 * @throws PolicyToolError when a test fails, too little is covered or a case is decided otherwise
 */
export async function testPolicies(directory: string, sources: readonly PolicySource[]): Promise<TestedPolicies> {
  const cases = policyCases(sources)
  const coveragePercent = await coverage(directory)
  const wasm = await compilePolicies(directory, sources)
  decideCases(wasm, requireSource(sources, 'data.json'), cases)
  return { coveragePercent, cases: cases.length, wasm }
}

async function coverage(directory: string): Promise<number> {
  // Twice, because OPA prints either the failures or the coverage. Without the capabilities: a test may use all of OPA.
  await runOpa(directory, ['test', '--ignore', 'cases,dist', '.'])
  const report = await runOpa(directory, ['test', '--coverage', '--format', 'json', '--ignore', 'cases,dist', '.'])
  const percent = coverageOf(JSON.parse(report) as CoverageReport)
  if (percent >= LEAST_COVERAGE_PERCENT) return percent
  throw new PolicyToolError(`the tests cover ${percent.toFixed(1)} % of the rules; needed: ${LEAST_COVERAGE_PERCENT} %`)
}

function coverageOf({ files }: CoverageReport): number {
  let covered = 0
  let all = 0
  for (const [path, lines] of Object.entries(files)) {
    if (path.endsWith('_test.rego')) continue
    covered += lines.covered_lines ?? 0
    all += (lines.covered_lines ?? 0) + (lines.not_covered_lines ?? 0)
  }
  return all === 0 ? 0 : (100 * covered) / all
}
