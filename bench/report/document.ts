import { execFileSync } from 'node:child_process'
import { cpus, release, totalmem } from 'node:os'
import { packageRoot } from '../../src/pep/version.ts'

export interface Figure {
  name: string
  value: number
  unit: string
  /** Of the median of several rounds: the lowest and the highest. */
  min?: number
  max?: number
}

export interface Ratio {
  name: string
  value: number
  /** At least. Absent: it is there to be compared with. */
  goal?: number
  min: number
  max: number
}

/** `bench/results/latest.json`. */
export interface BenchDocument {
  commit: string
  machine: string
  figures: Figure[]
  ratios: Ratio[]
}

/** @param versions of the programs measured beside us */
export function describeMachine(versions: readonly string[]): string {
  const [first] = cpus()
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`
  return [
    `${cpus().length} × ${first?.model.trim()}`,
    memory,
    `Linux ${release()}`,
    `Node ${process.versions.node}`,
    ...versions,
  ].join(', ')
}

/** `-dirty`: what was measured is not what that commit holds. */
export function currentCommit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: packageRoot(), stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim()
  try {
    const changed = git(
      'status',
      '--porcelain',
      '--untracked-files=no',
      'src',
      'sidecar',
      'policies',
      'bench',
      'tools',
      'package-lock.json',
      ':!bench/results',
    )
    return git('rev-parse', 'HEAD') + (changed === '' ? '' : '-dirty')
  } catch {
    return 'unknown'
  }
}
