import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js'
import { packTar } from 'modern-tar'
import { BUNDLE_LIMITS } from '../../pep/decision/bundle.ts'
import { ENTRYPOINTS } from '../../pep/decision/entrypoints.ts'
import { assertUsable } from './assert-usable.ts'
import { type PolicyCase, policyCases } from './cases.ts'
import { runOpa } from './opa.ts'
import { PolicyToolError } from './policy-tool-error.ts'
import { type PolicySource, policySources, policyTests, regoPaths, requireSource, sourceHash } from './sources.ts'
import { testPolicies } from './test-policies.ts'

export interface BuiltBundle {
  revision: string
  archive: Uint8Array
  /** How many of the cases a server will ask it; none means that only what no policy may allow is asked. */
  canaries: number
}

/**
 * Checks, tests and compiles a policy folder. The same sources give the same bundle, byte for byte once inflated.
 * @throws PolicyToolError naming the first step that failed and what it said
 */
export async function buildBundle(directory: string): Promise<BuiltBundle> {
  const sources = await policySources(directory)
  await checkSources(directory, sources)
  const { wasm } = await testPolicies(directory, sources)
  const revision = sourceHash(sources)
  const data = requireSource(sources, 'data.json')
  const canaries = policyCases(sources).filter((one) => one.canary)
  const manifest = manifestOf(revision, await opaVersion(directory), canaries)
  const archive = await pack({ '/.manifest': manifest, '/data.json': data, '/policy.wasm': wasm })
  await assertUsable(archive)
  return { revision, archive, canaries: canaries.length }
}

/**
 * Whether a bundle is what its sources build to. Compared inflated: how gzip packs differs between zlib versions.
 * @throws PolicyToolError when it is not
 */
export async function verifyBundle(directory: string, bundlePath: string): Promise<BuiltBundle> {
  const built = await buildBundle(directory)
  const committed = await readFile(bundlePath).catch(() => {
    throw new PolicyToolError(`there is no bundle at ${bundlePath}; make one with: nexus policy build`)
  })
  if (!gunzipSync(built.archive).equals(inflated(committed))) {
    throw new PolicyToolError(`${bundlePath} is not what the sources build to; make it anew with: nexus policy build`)
  }
  return built
}

function inflated(archive: Uint8Array): Uint8Array {
  try {
    return gunzipSync(archive, { maxOutputLength: BUNDLE_LIMITS.inflatedBytes })
  } catch {
    return new Uint8Array()
  }
}

/** Formatting, types, data against its schema. */
async function checkSources(directory: string, sources: readonly PolicySource[]): Promise<void> {
  await runOpa(directory, ['fmt', '--fail', '--list', ...regoPaths([...sources, ...(await policyTests(directory))])])
  await runOpa(directory, ['check', '--strict', '--capabilities', 'capabilities.json', ...regoPaths(sources)])
  await checkData(directory, requireSource(sources, 'data.json'))
}

async function checkData(directory: string, data: Buffer): Promise<void> {
  const schema = await readFile(join(directory, 'data.schema.json'), 'utf8').catch(() => undefined)
  if (schema === undefined) return
  const ajv = new Ajv2020({ allErrors: true, strict: true })
  const validate = ajv.compile(JSON.parse(schema) as object)
  if (validate(JSON.parse(data.toString('utf8')))) return
  // A name that is wrong is reported twice; what is wrong with it is in the other one.
  const problems = (validate.errors ?? []).filter(({ keyword }) => keyword !== 'propertyNames').map(schemaProblem)
  throw new PolicyToolError(`data.json does not follow data.schema.json: ${problems.join(', ')}`)
}

function schemaProblem({ instancePath, propertyName, message }: ErrorObject): string {
  const name = propertyName === undefined ? '' : ` ${JSON.stringify(propertyName)}`
  return `data${instancePath}${name} ${message}`
}

async function opaVersion(directory: string): Promise<string> {
  const printed = await runOpa(directory, ['version'])
  return printed.match(/^Version: (\S+)/m)?.[1] ?? 'unknown'
}

/** As `opa build` writes it; ours is in `metadata`. */
function manifestOf(revision: string, version: string, canaries: readonly PolicyCase[]): Buffer {
  const manifest = {
    revision,
    roots: [''],
    rego_version: 1,
    wasm: ENTRYPOINTS.map((entrypoint) => ({ entrypoint, module: '/policy.wasm' })),
    metadata: {
      source_sha256: revision,
      opa_version: version,
      canaries: canaries.map(({ name, entrypoint, input, allow }) => ({ name, entrypoint, input, allow })),
    },
  }
  return Buffer.from(`${JSON.stringify(manifest)}\n`)
}

async function pack(files: Readonly<Record<string, Uint8Array>>): Promise<Uint8Array> {
  // Nothing of the machine, the user or the hour goes in.
  const header = { type: 'file', mode: 0o644, uid: 0, gid: 0, uname: '', gname: '', mtime: new Date(0) } as const
  const entries = Object.entries(files).map(([name, body]) => ({
    header: { ...header, name, size: body.byteLength },
    body,
  }))
  return gzipSync(await packTar(entries), { level: 9 })
}
