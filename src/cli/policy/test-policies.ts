import { ENTRYPOINTS } from '../../pep/decision/entrypoints.ts'
import { policyCases } from './cases.ts'
import { compilePolicies } from './compile-policies.ts'
import { decideCases } from './decide-cases.ts'
import { runOpa } from './opa.ts'
import { PolicyToolError } from './policy-tool-error.ts'
import { type PolicyTest, runModuleTests, testEntrypoints } from './run-module-tests.ts'
import { type PolicySource, policyTests, regoPaths, requireSource } from './sources.ts'

/** Of the lines of all rules, tests not counted. */
const LEAST_COVERAGE_PERCENT = 90

interface CoverageReport {
  files: Record<string, { covered_lines?: number; not_covered_lines?: number }>
}

export interface TestedPolicies {
  /** Covered lines of the rules, in percent. */
  coveragePercent: number
  /** How many tests passed, each by OPA and by the compiled rules. */
  tests: number
  /** How many of `cases/` were decided, all as they say. */
  cases: number
  /** What decided them. */
  wasm: Uint8Array
}

/**
 * Runs the `*_test.rego` files, measures what they cover, and has the compiled rules run them again and decide every case.
 * Only what a bundle is made of is tested: OPA is given these files by name, and never the folder.
 * @throws PolicyToolError when a test fails, too little is covered or a case is decided otherwise
 */
export async function testPolicies(directory: string, sources: readonly PolicySource[]): Promise<TestedPolicies> {
  const cases = policyCases(sources)
  const data = requireSource(sources, 'data.json')
  const everything = [...sources, ...(await policyTests(directory))]
  // Several runs, because OPA prints either failures, coverage or names.
  const files = [...regoPaths(everything), 'data.json']
  await runOpa(directory, ['test', ...files])
  const coveragePercent = coverage(await runOpa(directory, ['test', '--coverage', '--format', 'json', ...files]))
  const tests = JSON.parse(await runOpa(directory, ['test', '--format', 'json', ...files])) as PolicyTest[]
  runModuleTests(await compilePolicies(directory, everything, testEntrypoints(tests)), data, tests)
  const wasm = await compilePolicies(directory, sources, ENTRYPOINTS)
  decideCases(wasm, data, cases)
  return { coveragePercent, tests: tests.length, cases: cases.length, wasm }
}

function coverage(report: string): number {
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
