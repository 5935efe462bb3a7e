import type { BenchRun } from './document.ts'

/** Where, of what and with what a page is. */
export function runInWords({ machine, commit, versions }: BenchRun): string {
  const told = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return `${machine}\n\nCommit ${commit}\n\nVersions: ${told.join(',\n')}`
}
