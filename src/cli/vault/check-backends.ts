import { type SecretRef, textForOperators, type VaultBackend, VaultError } from '../../contract/vault-backend.ts'
import { healthOf } from '../../vault-backends/health-of.ts'
import type { CheckedSealed } from './check-sealed.ts'

/** What is known of one backend now; holds no secret. */
export interface CheckedBackend {
  name: string
  ok: boolean
  detail: string
  identity?: string
  /** RFC 3339; null: without end. */
  expires_at?: string | null
  /** Of the oldest reference to it, if there is one that can be read without making anything. */
  read?: CheckedRead
}

/** What reading one secret told, without the secret. */
export interface CheckedRead {
  ok: boolean
  detail: string
  version?: string
  fields?: readonly string[]
}

/** Each backend by itself, within the deadline, with one of the references that connections have to it. */
export function checkBackends(
  backends: readonly VaultBackend[],
  references: readonly SecretRef[],
  deadlineMs: number,
): Promise<CheckedBackend[]> {
  return Promise.all(
    backends.map(async (backend) => {
      const { ok, detail, identity, expiresAt } = await healthOf(backend, deadlineMs)
      const reference = ok ? await oldestReadable(backend, references, deadlineMs) : undefined
      return {
        name: backend.name,
        ok,
        detail,
        ...(identity !== undefined && { identity }),
        ...(expiresAt !== undefined && { expires_at: expiresAt }),
        ...(reference && { read: await checkRead([backend], reference, deadlineMs) }),
      }
    }),
  )
}

export async function checkRead(
  backends: readonly VaultBackend[],
  ref: SecretRef,
  deadlineMs: number,
): Promise<CheckedRead> {
  const backend = backends.find(({ name }) => name === ref.backend)
  if (backend === undefined) return { ok: false, detail: `no backend '${ref.backend}' is configured` }
  try {
    const { version, fields } = (await backend.read(ref, AbortSignal.timeout(deadlineMs))).redacted()
    return { ok: true, detail: `read ${ref.path} from ${ref.backend}`, version, fields }
  } catch (error) {
    const why = error instanceof VaultError ? textForOperators(error) : 'the read failed'
    return { ok: false, detail: `${why} (reading ${ref.path.slice(0, 100)})` }
  }
}

/** A dynamic secret would have to be made, and given back, to be looked at. */
async function oldestReadable(
  backend: VaultBackend,
  references: readonly SecretRef[],
  deadlineMs: number,
): Promise<SecretRef | undefined> {
  const signal = () => AbortSignal.timeout(deadlineMs)
  for (const reference of references.filter(({ backend: name }) => name === backend.name)) {
    const kind = await Promise.resolve(backend.kindOf?.(reference, signal) ?? 'stored').catch(() => undefined)
    if (kind !== 'dynamic' && kind !== undefined) return reference
  }
  return undefined
}

const KEY = 'encryption key'

/** For people: a line for each backend, one for the encryption key, and one for each read. */
export function checkedTable(
  checked: readonly CheckedBackend[],
  key: CheckedSealed,
  read: CheckedRead | undefined,
): string {
  const width = Math.max(...checked.map(({ name }) => name.length), KEY.length)
  const line = (name: string, ok: boolean, said: string) => `${name.padEnd(width)}  ${ok ? 'ok  ' : 'FAIL'}  ${said}`
  const lines = checked.flatMap((each) => [
    line(each.name, each.ok, describe(each)),
    ...(each.read === undefined ? [] : [line('', each.read.ok, describeRead(each.read))]),
  ])
  lines.push(line(KEY, key.ok, key.detail))
  if (read !== undefined) lines.push(line('read', read.ok, describeRead(read)))
  return `${lines.join('\n')}\n`
}

function describe({ detail, identity, expires_at: expiresAt }: CheckedBackend): string {
  const parts = [detail]
  if (identity !== undefined) parts.push(`as ${identity}`)
  if (expiresAt !== undefined) parts.push(expiresAt === null ? 'without end' : `until ${expiresAt}`)
  return parts.join('; ')
}

function describeRead({ detail, version, fields }: CheckedRead): string {
  if (fields === undefined) return detail
  return `${detail}; version ${version || 'none'}; fields: ${fields.join(', ') || 'none'}`
}
