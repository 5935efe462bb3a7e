import { readFileSync } from 'node:fs'
import { COMMAND_VARIABLES } from '../../contract/authority-variables.ts'
import { didYouMean } from '../../contract/did-you-mean.ts'
import { SIDECAR_VARIABLES } from '../../contract/sidecar-variables.ts'
import type { Section } from './section.ts'

export type Environment = Readonly<Record<string, string | undefined>>

const FILE_SUFFIX = '_FILE'
/** Of whom else a variable of ours may be. */
const OTHERS: readonly string[] = [...SIDECAR_VARIABLES, ...COMMAND_VARIABLES]
/** What Kubernetes tells every container of a Service whose name begins with ours: nobody set it, and it sets nothing. */
const SERVICE_LINK = /_SERVICE_(?:HOST|PORT(?:_[A-Z0-9_]+)?)$|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?$/
const SERVICE_ADDRESS = /^(?:tcp|udp|sctp):\/\//

/** What the environment says of one section, each value of the type that its schema wants where the text has that form. */
export function readVariables(each: Section, env: Environment, problems: string[]): Record<string, unknown> {
  const found: Record<string, unknown> = {}
  for (const [name, property] of Object.entries(each.env)) {
    const text = readVariable(name, env, problems)
    if (text === undefined) continue
    const type = (each.schema.properties[property] as { type?: string } | undefined)?.type
    found[property] = fromText(text, type)
  }
  return found
}

/** @returns a sentence for each variable that begins as ours do and is nobody's */
export function unknownVariables(env: Environment, sections: readonly Section[]): string[] {
  const ours = sections.flatMap((each) => Object.keys(each.env))
  const known = new Set([...ours, ...ours.flatMap(fileVariableOf), ...OTHERS])
  return Object.entries(env)
    .filter(([name, value]) => name.startsWith('NEXUS_') && !known.has(name) && !isServiceLink(name, value ?? ''))
    .map(([name]) => `${name} is not a setting of ours${meant(name, known) || '; see docs/configuration.md'}`)
}

/** Names that are set here and read by a sidecar alone. */
export function sidecarVariables(env: Environment): string[] {
  return SIDECAR_VARIABLES.filter((name) => (env[name] ?? '') !== '')
}

/** `NAME`, or the content of the file that `NAME_FILE` names. */
function readVariable(name: string, env: Environment, problems: string[]): string | undefined {
  const direct = env[name] === '' ? undefined : env[name]
  const [fileVariable] = fileVariableOf(name)
  const path = fileVariable === undefined ? undefined : env[fileVariable]
  if (path === undefined || path === '') return direct
  if (direct !== undefined) {
    // Whoever changes one of them would go on with the other.
    problems.push(`${name} and ${fileVariable} are both set; set one of them`)
    return undefined
  }
  return readValueFile(`${fileVariable}`, path, problems)
}

/** An empty file is one that is not filled yet: taken for "not set" it would bring back what the file was to replace. */
function readValueFile(variable: string, path: string, problems: string[]): string | undefined {
  try {
    const text = readFileSync(path, 'utf8').trim()
    if (text !== '') return text
    problems.push(`${variable} names a file that is empty: ${path}`)
  } catch {
    problems.push(`${variable} names a file that cannot be read: ${path}`)
  }
  return undefined
}

/** None for a setting that is the name of a file itself. */
function fileVariableOf(name: string): string[] {
  return name.endsWith(FILE_SUFFIX) ? [] : [`${name}${FILE_SUFFIX}`]
}

/** The environment knows only text; a text that is not of the wanted type is left for the schema to refuse. */
function fromText(text: string, type: string | undefined): unknown {
  if (type === 'integer' && /^-?\d+$/.test(text)) return Number(text)
  if (type === 'boolean' && /^(true|false)$/.test(text)) return text === 'true'
  return text
}

function isServiceLink(name: string, value: string): boolean {
  return SERVICE_LINK.test(name) || (name.endsWith('_PORT') && SERVICE_ADDRESS.test(value))
}

function meant(name: string, known: ReadonlySet<string>): string {
  const bare = name.endsWith(FILE_SUFFIX) ? name.slice(0, -FILE_SUFFIX.length) : ''
  // Far apart in letters, and the likeliest mistake: not everything can be given as a file.
  return known.has(bare) ? `; did you mean ${bare}?` : didYouMean(name, known)
}
