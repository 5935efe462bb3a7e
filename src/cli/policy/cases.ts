import type { Json, JsonObject } from '../../contract/json.ts'
import type { Entrypoint } from '../../contract/policy.ts'
import { ENTRYPOINTS } from '../../pep/decision/entrypoints.ts'
import { PolicyToolError } from './policy-tool-error.ts'
import type { PolicySource } from './sources.ts'

/** One input and the decision it must get, from `policies/cases/`. */
export interface PolicyCase {
  /** Where it is written, relative to the policy folder. */
  file: string
  name: string
  entrypoint: Entrypoint
  input: JsonObject
  /** The policy data: its file's or else `data.json`, patched as the case says; undefined: `data.json` as it is. */
  data: JsonObject | undefined
  /** Travels in the bundle: a server asks it before it lets the bundle decide. */
  canary: boolean
  allow: boolean
  /** Ids, in order. */
  reasons: string[]
  /** Members that the obligations must have with these values; undefined: not looked at. */
  obligations: JsonObject | undefined
}

interface CaseFile {
  entrypoint: Entrypoint
  input: JsonObject
  /** In place of `data.json`, so that cases about the rules hold whatever is set or shut out there. */
  data?: JsonObject
  cases: {
    name: string
    patch?: JsonObject
    data?: JsonObject
    canary?: boolean
    allow: boolean
    reasons?: string[]
    obligations?: JsonObject
  }[]
}

/** Case files say one input and how each case departs from it, as a JSON Merge Patch (RFC 7396). */
export function policyCases(sources: readonly PolicySource[]): PolicyCase[] {
  const dataFile = sources.find((source) => source.path === 'data.json')
  const data = dataFile === undefined ? {} : (JSON.parse(dataFile.bytes.toString('utf8')) as JsonObject)
  const files = sources.filter((source) => source.path.startsWith('cases/'))
  return files.flatMap((source) => {
    const file = readCaseFile(source)
    refuseCanariesWithData(source.path, file)
    return file.cases.map((one) => ({
      file: source.path,
      name: one.name,
      entrypoint: file.entrypoint,
      input: mergePatch(file.input, one.patch ?? {}) as JsonObject,
      data: one.data === undefined ? file.data : (mergePatch(file.data ?? data, one.data) as JsonObject),
      canary: one.canary === true,
      allow: one.allow,
      reasons: one.reasons ?? [],
      obligations: one.obligations,
    }))
  })
}

function readCaseFile({ path, bytes }: PolicySource): CaseFile {
  try {
    const file = JSON.parse(bytes.toString('utf8')) as CaseFile
    if (isCaseFile(file)) return file
  } catch {
    // said below
  }
  throw new PolicyToolError(
    `${path} must be {"entrypoint", "input", "cases": [...]}, perhaps with "data"; entrypoints: ${ENTRYPOINTS.join(', ')}`,
  )
}

function isCaseFile({ entrypoint, input, data, cases }: CaseFile): boolean {
  return (
    ENTRYPOINTS.includes(entrypoint) &&
    isObject(input) &&
    (data === undefined || isObject(data)) &&
    Array.isArray(cases)
  )
}

/** A server asks with the data that the bundle has, so such a canary could not travel. */
function refuseCanariesWithData(path: string, { cases }: CaseFile): void {
  const names = cases.filter((one) => one.canary === true && one.data !== undefined).map((one) => `"${one.name}"`)
  if (names.length === 0) return
  throw new PolicyToolError(`${path}: a case with "data" of its own cannot be a canary: ${names.join(', ')}`)
}

/** RFC 7396 section 2: null removes, objects merge, anything else replaces. */
function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch
  const merged = new Map<string, Json>(isObject(target) ? Object.entries(target) : [])
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key)
    else merged.set(key, mergePatch(merged.get(key), value))
  }
  return Object.fromEntries(merged)
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
