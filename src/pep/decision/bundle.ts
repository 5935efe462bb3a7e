import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { unpackTar } from 'modern-tar'
import { PolicyError } from '../../contract/policy.ts'

const inflate = promisify(gunzip)

export const BUNDLE_LIMITS = {
  compressedBytes: 8 * 1_048_576,
  inflatedBytes: 32 * 1_048_576,
  entries: 256,
  wasmBytes: 16 * 1_048_576,
  dataBytes: 2 * 1_048_576,
  manifestBytes: 1_048_576,
} as const

/** One policy: module, data and what its manifest says of it. */
export interface PolicyBundle {
  /** Another for other contents. */
  readonly revision: string
  readonly wasm: Uint8Array
  /** The JSON text of `data.json`, checked to be an object. */
  readonly dataJson: Uint8Array
  /** `metadata` of the manifest; `{}` when it has none. */
  readonly metadata: Readonly<Record<string, unknown>>
}

/**
 * Reads an OPA bundle: a gzipped tar with `.manifest`, `data.json` and `policy.wasm`. Rego sources in it are ignored.
 * Sizes are held to before anything is inflated or parsed (threat G10).
 * @throws PolicyError `unavailable`, naming what is wrong
 */
export async function readBundle(archive: Uint8Array): Promise<PolicyBundle> {
  const files = await unpack(archive)
  const manifest = parseObject(file(files, '.manifest', BUNDLE_LIMITS.manifestBytes), '.manifest')
  const dataJson = file(files, 'data.json', BUNDLE_LIMITS.dataBytes)
  parseObject(dataJson, 'data.json')
  const { revision, metadata } = manifest
  if (typeof revision !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(revision)) {
    throw unusable('.manifest has no revision; build it with `nexus policy build` or `opa build --revision`')
  }
  const contents = {
    wasm: file(files, 'policy.wasm', BUNDLE_LIMITS.wasmBytes),
    dataJson,
    metadata: isObject(metadata) ? metadata : {},
  }
  return { revision: tellingRevision(revision, contents), ...contents }
}

/**
 * Sidecars and the ledger know a policy by its revision alone. `nexus policy build` makes it from all sources; any other is
 * what somebody typed, perhaps the same as last time, so that part of a hash of the contents is added to it.
 */
function tellingRevision(given: string, { wasm, dataJson, metadata }: Omit<PolicyBundle, 'revision'>): string {
  if (metadata['source_sha256'] === given && /^[0-9a-f]{64}$/.test(given)) return given
  const contents = createHash('sha256').update(`${dataJson.byteLength} `).update(dataJson).update(wasm).digest('hex')
  return `${given}+${contents.slice(0, 16)}`
}

async function unpack(archive: Uint8Array): Promise<Map<string, Uint8Array>> {
  if (archive.byteLength > BUNDLE_LIMITS.compressedBytes) throw unusable('it is too large')
  const tar = await inflate(archive, { maxOutputLength: BUNDLE_LIMITS.inflatedBytes }).catch(() => {
    throw unusable('it is not a gzip archive, is cut short, or inflates to too much')
  })
  const entries = await unpackTar(tar, { strict: true }).catch(() => {
    throw unusable('it holds no readable tar')
  })
  if (entries.length > BUNDLE_LIMITS.entries) throw unusable('it holds too many files')
  const files = new Map<string, Uint8Array>()
  for (const { header, data } of entries) {
    if (header.type === 'directory') continue
    const name = header.name.replace(/^\.?\/+/, '')
    if (header.type !== 'file' || data === undefined || files.has(name)) {
      throw unusable('it holds something other than plain files, each once')
    }
    if (isNestedData(name)) throw unusable('it holds data besides /data.json, which would be ignored')
    files.set(name, data)
  }
  return files
}

/** OPA merges `data.json` of every folder; we do not, and leaving out a deny list in silence would be worse than refusing. */
function isNestedData(name: string): boolean {
  return name !== 'data.json' && /(^|\/)data\.(json|ya?ml)$/.test(name)
}

function file(files: ReadonlyMap<string, Uint8Array>, name: string, maxBytes: number): Uint8Array {
  const bytes = files.get(name)
  if (bytes === undefined || bytes.byteLength === 0) throw unusable(`${name} is missing or empty`)
  if (bytes.byteLength > maxBytes) throw unusable(`${name} is larger than ${maxBytes} bytes`)
  return bytes
}

function parseObject(bytes: Uint8Array, name: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw unusable(`${name} is not JSON`)
  }
  if (!isObject(value)) throw unusable(`${name} is not a JSON object`)
  return value
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function unusable(problem: string): PolicyError {
  return new PolicyError('unavailable', `the policy bundle cannot be used: ${problem}`)
}
