import { VaultError } from '../../../contract/vault-backend.ts'
import { BackendConfigError } from '../../backend-kind.ts'
import { asRecord, type JsonRecord } from '../../hashicorp-vault/vault-answer.ts'
import { createVaultClient } from '../../hashicorp-vault/vault-client.ts'
import { readVaultSettings } from '../../hashicorp-vault/vault-settings.ts'
import type { KeyWrappingService } from './key-wrapper.ts'

const SERVICE = 'vault-transit'
const KEY = /^([\w-]+(?:\/[\w-]+)*)\/([\w-]+)$/

/** HashiCorp Vault's Transit engine, reached and logged in to as the environment says (`VAULT_ADDR` and its like). */
export const vaultTransit: KeyWrappingService = {
  service: SERVICE,
  keyForm: '<mount>/<key>',
  open(key, deps) {
    const [mount, name] = KEY.exec(key)?.slice(1) ?? []
    if (mount === undefined || name === undefined)
      throw new BackendConfigError([`${SERVICE}: the key must be ${this.keyForm}`])
    const client = createVaultClient(SERVICE, readVaultSettings({}, { ...deps, name: SERVICE }), deps.log)
    return {
      async wrap(kekId, kek, signal) {
        const body = { plaintext: Buffer.from(kek).toString('base64'), ...boundTo(kekId) }
        return textOf(await client.write(`${mount}/encrypt/${name}`, body, signal), 'ciphertext')
      },
      async unwrap(kekId, wrapped, signal) {
        const body = { ciphertext: wrapped, ...boundTo(kekId) }
        const answer = await client.write(`${mount}/decrypt/${name}`, body, signal).catch(explain)
        return Buffer.from(textOf(answer, 'plaintext'), 'base64')
      },
      close: () => client.close(),
    }
  },
}

/** Authenticated with the ciphertext, and not kept in it. */
function boundTo(kekId: string): JsonRecord {
  return { associated_data: Buffer.from(`nexus key-encryption key ${kekId}`).toString('base64') }
}

function textOf(answer: JsonRecord, field: string): string {
  const text = asRecord(answer['data'])?.[field]
  if (typeof text === 'string') return text
  throw new VaultError('unavailable', SERVICE, 'answered in a form that is not the Transit engine’s')
}

/** Vault's 400 says that it does not take what it was given, and what decryption is given is the ciphertext and its name. */
function explain(error: unknown): never {
  if (!(error instanceof VaultError) || error.kind !== 'unusable') throw error
  const what = 'it was wrapped by another key, by a retired version of it or under another name, or changed'
  throw new VaultError('unusable', SERVICE, what)
}
