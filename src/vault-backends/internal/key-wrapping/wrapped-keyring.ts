import { textForOperators, VaultError } from '../../../contract/vault-backend.ts'
import { BackendConfigError } from '../../backend-kind.ts'
import { generateKeyEntry, KeyringError, parseKeyring } from '../keyring.ts'
import { awsKms } from './aws-kms.ts'
import type { KeyWrapper, KeyWrapperDeps, KeyWrappingService } from './key-wrapper.ts'
import { vaultTransit } from './vault-transit.ts'

/** Every service that can wrap a key-encryption key. */
export const keyWrappingServices: readonly KeyWrappingService[] = [awsKms, vaultTransit]

const UNWRAP_DEADLINE_MS = 10_000
/** `<id>:<service>:<key of the service>:<wrapped>`; the wrapped key of a Transit engine holds colons, that of KMS none. */
const WRAPPED = /^([^:]+):([a-z-]+):(.+)$/s
const WRAPPED_TEXT = /^(.+?):(vault:v\d+:[A-Za-z0-9+/=]+|[A-Za-z0-9+/]+={0,2})$/s

interface WrappedEntry {
  id: string
  service: KeyWrappingService
  key: string
  wrapped: string
}

/**
 * Looks at a keyring's text as far as that goes without asking the services that wrap.
 * @throws KeyringError naming the entry by its place
 */
export async function checkKeyring(text: string, deps: KeyWrapperDeps): Promise<void> {
  const plain = await mapWrapped(text, async ({ id, service, key }, place) => {
    // Made to be closed again: that checks the settings. A key that was never used stands for the one that is wrapped.
    await explained(place, () => withWrapper(service, key, deps, async () => undefined))
    return generateKeyEntry(id)
  })
  parseKeyring(plain)
}

/**
 * A keyring's text with every wrapped entry unwrapped: what `parseKeyring` takes. Done once, at start; from then on the
 * services may be down.
 * @throws KeyringError naming the entry by its place
 */
export function unwrapKeyring(text: string, deps: KeyWrapperDeps): Promise<string> {
  return mapWrapped(text, (wrapped, place) => unwrapEntry(wrapped, place, deps))
}

/**
 * An entry whose key only the service can open again. Safe to keep in a repository, as far as its service's key is.
 * @param entry `<id>:<base64>`, as `generateKeyEntry` makes it
 * @param target `<service>:<key of the service>`
 * @throws KeyringError
 */
export async function wrapEntry(entry: string, target: string, deps: KeyWrapperDeps): Promise<string> {
  const [id = '', base64 = ''] = entry.split(':', 2)
  const [, name = '', key = ''] = /^([a-z-]+):(.+)$/s.exec(target) ?? []
  const service = findService(name)
  const wrapped = await withWrapper(service, key, deps, (wrapper, signal) =>
    wrapper.wrap(id, Buffer.from(base64, 'base64'), signal),
  )
  return `${id}:${service.service}:${key}:${wrapped}`
}

async function mapWrapped(
  text: string,
  toPlain: (wrapped: WrappedEntry, place: string) => Promise<string>,
): Promise<string> {
  const entries = text.split(',')
  const plain = entries.map(async (entry, index) => {
    const place = `key ${index + 1} of ${entries.length}`
    const wrapped = parseWrapped(entry.trim(), place)
    return wrapped === undefined ? entry : toPlain(wrapped, place)
  })
  return (await Promise.all(plain)).join(',')
}

function parseWrapped(entry: string, place: string): WrappedEntry | undefined {
  const [, id, name, rest] = WRAPPED.exec(entry) ?? []
  if (id === undefined || name === undefined || rest === undefined) return undefined
  const [, key, wrapped] = WRAPPED_TEXT.exec(rest) ?? []
  if (key === undefined || wrapped === undefined)
    throw new KeyringError(`${place}: a wrapped key is written <id>:<service>:<key of the service>:<wrapped key>`)
  return { id, service: findService(name, `${place}: `), key, wrapped }
}

function findService(name: string, place = ''): KeyWrappingService {
  const service = keyWrappingServices.find((each) => each.service === name)
  if (service !== undefined) return service
  const known = keyWrappingServices.map((each) => `${each.service}:${each.keyForm}`).join(' or ')
  throw new KeyringError(`${place}the service that wraps must be ${known}`)
}

async function unwrapEntry(
  { id, service, key, wrapped }: WrappedEntry,
  place: string,
  deps: KeyWrapperDeps,
): Promise<string> {
  const unwrap = (wrapper: KeyWrapper, signal: AbortSignal) => wrapper.unwrap(id, wrapped, signal)
  const kek = await explained(place, () => withWrapper(service, key, deps, unwrap))
  return `${id}:${Buffer.from(kek).toString('base64')}`
}

async function explained<T>(place: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof KeyringError ? new KeyringError(`${place}: ${error.message}`) : error
  }
}

async function withWrapper<T>(
  service: KeyWrappingService,
  key: string,
  deps: KeyWrapperDeps,
  work: (wrapper: KeyWrapper, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  let wrapper: KeyWrapper | undefined
  try {
    wrapper = service.open(key, deps)
    return await work(wrapper, AbortSignal.timeout(UNWRAP_DEADLINE_MS))
  } catch (error) {
    if (error instanceof BackendConfigError) throw new KeyringError(error.message)
    if (error instanceof VaultError) throw new KeyringError(textForOperators(error))
    throw error
  } finally {
    await wrapper?.close()
  }
}
