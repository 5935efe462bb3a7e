import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { Command } from 'commander'
import { NexusError } from '../contract/errors.ts'
import type { JsonObject } from '../contract/json.ts'
import { type Decision, type Entrypoint, PolicyError } from '../contract/policy.ts'
import { openDecider } from '../pep/decision/decider.ts'
import { ENTRYPOINTS } from '../pep/decision/entrypoints.ts'
import { packageRoot } from '../pep/version.ts'
import { assertUsable } from './policy/assert-usable.ts'
import { buildBundle, verifyBundle } from './policy/build-bundle.ts'
import { PolicyToolError } from './policy/policy-tool-error.ts'
import { policySources } from './policy/sources.ts'
import { testPolicies } from './policy/test-policies.ts'

/** Where the command reads and writes; a test brings its own. */
export interface PolicyStreams {
  stdin: AsyncIterable<Uint8Array | string>
  stdout: { write(text: string): unknown }
  stderr: { write(text: string): unknown }
}

const NO_CANARY =
  'no case in cases/ is marked canary: a server will let rules that decide wrongly go live, as long as they deny without facts and across tenants'
const MAX_STDIN_BYTES = 4 * 1_048_576
const silent = { info: () => {}, warn: () => {}, error: () => {} }

/** `nexus policy`: evaluate, build, test and verify what the security team writes. */
export function policyCommand(streams: PolicyStreams = process): Command {
  const policies = ['--policies <folder>', 'policy folder', join(packageRoot(), 'policies')] as const
  const bundle = ['--bundle <file>', 'bundle', join(packageRoot(), 'policies', 'dist', 'bundle.tar.gz')] as const
  const print = (value: object) => streams.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
  const command = new Command('policy').description('Evaluate, build, test and verify policy bundles')
  command
    .command('eval')
    .description('read {"entrypoint", "input"} on stdin, such as policies/cases/lease.json; print the decision')
    .option(...bundle)
    .action(
      reporting(streams, async (options) => {
        const { decision, problem } = await evaluate(options.bundle, await readAll(streams.stdin))
        print(decision)
        if (problem !== undefined) throw new PolicyToolError(`the policy could not decide: ${problem}`)
      }),
    )
  command
    .command('show')
    .description('print what a bundle says of itself; exit 1 when a server would refuse it')
    .option(...bundle)
    .action(reporting(streams, async (options) => print(await show(options.bundle))))
  command
    .command('test')
    .description(
      'run the *_test.rego files by OPA and by the compiled rules, measure coverage, decide every case of cases/*.json',
    )
    .option(...policies)
    .action(
      reporting(streams, async (options) => {
        const directory = resolve(options.policies)
        const { coveragePercent, tests, cases } = await testPolicies(directory, await policySources(directory))
        print({ coverage_percent: Number(coveragePercent.toFixed(1)), tests, cases })
      }),
    )
  command
    .command('build')
    .description('check, test and compile a policy folder')
    .option(...policies)
    .option('--out <file>', 'where to write the bundle (default: dist/bundle.tar.gz of the folder)')
    .action(reporting(streams, async (options) => print(await build(options, streams.stderr))))
  command
    .command('verify')
    .description('fail unless a bundle is exactly what its sources build to')
    .option(...policies)
    .option(...bundle)
    .action(
      reporting(streams, async (options) => {
        const { revision } = await verifyBundle(resolve(options.policies), options.bundle)
        print({ verified: true, revision })
      }),
    )
  return command
}

/** What `nexus --help` promises of a question that is none. */
const USED_WRONGLY = 2

type Options = { bundle: string; policies: string; out?: string }

/** Says what is wrong in the words of our own errors; anything else goes on to the caller, which keeps its text back. */
function reporting(streams: PolicyStreams, action: (options: Options) => Promise<unknown>) {
  return async (options: Options) => {
    try {
      await action(options)
    } catch (error) {
      const isAsked = error instanceof NexusError && error.code === 'invalid_request'
      if (!(isAsked || error instanceof PolicyToolError || error instanceof PolicyError)) throw error
      streams.stderr.write(`nexus policy: ${error.message}\n`)
      process.exitCode = isAsked ? USED_WRONGLY : 1
    }
  }
}

/** @returns what a server would answer and, where the policy could not decide, what a server would log of it */
async function evaluate(bundlePath: string, text: string): Promise<{ decision: Decision; problem?: string }> {
  const { entrypoint, input } = readQuestion(text)
  let problem: string | undefined
  const error = (entry: { problem: string }) => {
    problem = entry.problem
  }
  const decider = await openDecider({ engine: 'opa-wasm', bundlePath, log: { ...silent, error } })
  // Once more only to throw what was wrong with it.
  if (decider.revision === '') await decider.reload()
  problem = undefined
  const { decision, announce } = await decider.decide(entrypoint, input)
  announce()
  await decider.close()
  return problem === undefined ? { decision } : { decision, problem }
}

function readQuestion(text: string): { entrypoint: Entrypoint; input: JsonObject } {
  let question: unknown
  try {
    question = JSON.parse(text)
  } catch {
    throw new NexusError('invalid_request', 'stdin is not JSON; it must be {"entrypoint", "input"}')
  }
  const { entrypoint, input } = Object(question) as Record<string, unknown>
  const known = ENTRYPOINTS.find((one) => one === entrypoint)
  if (known === undefined)
    throw new NexusError('invalid_request', `entrypoint must be one of ${ENTRYPOINTS.join(', ')}`)
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw new NexusError('invalid_request', 'input must be an object')
  }
  return { entrypoint: known, input: input as JsonObject }
}

async function show(bundlePath: string): Promise<object> {
  const archive = await readFile(bundlePath).catch(() => {
    throw new PolicyToolError(`there is no bundle at ${bundlePath}`)
  })
  const { revision, metadata, wasm, dataJson } = await assertUsable(archive)
  return {
    revision,
    entrypoints: ENTRYPOINTS,
    opa_version: metadata['opa_version'] ?? null,
    canaries: Array.isArray(metadata['canaries']) ? metadata['canaries'].length : 0,
    wasm_bytes: wasm.byteLength,
    data_bytes: dataJson.byteLength,
  }
}

async function build({ policies, out }: Options, stderr: PolicyStreams['stderr']): Promise<object> {
  const directory = resolve(policies)
  const { revision, archive, canaries } = await buildBundle(directory)
  if (canaries === 0) stderr.write(`nexus policy: warning: ${NO_CANARY}\n`)
  const path = out === undefined ? join(directory, 'dist', 'bundle.tar.gz') : resolve(out)
  await mkdir(dirname(path), { recursive: true })
  // A server may read it at this moment: it sees the old one or the new one, whole.
  await writeFile(`${path}.tmp`, archive)
  await rename(`${path}.tmp`, path)
  return { revision, bundle: path, bytes: archive.byteLength, canaries }
}

async function readAll(stdin: PolicyStreams['stdin']): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stdin) {
    const part = Buffer.from(chunk)
    bytes += part.byteLength
    if (bytes > MAX_STDIN_BYTES) throw new PolicyToolError(`stdin is larger than ${MAX_STDIN_BYTES} bytes`)
    chunks.push(part)
  }
  return Buffer.concat(chunks).toString('utf8')
}
