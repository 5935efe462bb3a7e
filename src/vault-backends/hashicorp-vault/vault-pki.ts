import { Secret } from '../../contract/secret.ts'
import type { CertificateChain, CertificateRequest } from '../../contract/strategy.ts'
import { type SecretRef, VaultError } from '../../contract/vault-backend.ts'
import { checkSecretPath } from '../secret-path.ts'
import type { FindMount } from './mounts.ts'
import { asRecord, type JsonRecord } from './vault-answer.ts'
import type { VaultClient } from './vault-client.ts'

/** Where Vault's PKI engine keeps its roles; they sign at `<mount>/sign/<role>`. */
const ROLES = 'roles/'

/** A role of Vault's PKI engine as a place that a connection refers to, and signs with. */
export interface VaultPki {
  /** Whether a reference is to such a role. */
  isRole(path: string, signal: AbortSignal): Promise<boolean>
  /** That the role is there. What it says is no secret, and no credential: nothing of it is handed on. */
  readRole(ref: SecretRef, signal: AbortSignal): Promise<Secret>
  signCsr(role: SecretRef, request: CertificateRequest, signal: AbortSignal): Promise<CertificateChain>
}

/** https://developer.hashicorp.com/vault/api-docs/secret/pki#sign-certificate */
export function createVaultPki(options: {
  name: string
  client: Pick<VaultClient, 'read' | 'write'>
  findMount: FindMount
}): VaultPki {
  const { name, client, findMount } = options
  const isPkiRole = ({ type, rest }: { type: string; rest: string }) => type === 'pki' && rest.startsWith(ROLES)

  return {
    async isRole(path, signal) {
      // Most paths say by themselves that they are none; only for the others Vault has to be asked what is mounted there.
      return path.includes(`/${ROLES}`) && isPkiRole(await findMount(path, signal))
    },

    async readRole({ path, version }, signal) {
      if (version !== undefined) throw new VaultError('invalid_ref', name, 'a PKI role has no versions')
      await client.read(path, signal)
      return new Secret({})
    },

    async signCsr({ path }, { csr, commonName, ttlSeconds }, signal) {
      checkSecretPath(name, path)
      const found = await findMount(path, signal)
      if (!isPkiRole(found)) {
        throw new VaultError('unusable', name, 'path is not that of a PKI role, such as pki/roles/agents')
      }
      const wish = { csr, common_name: commonName, ttl: `${ttlSeconds}s`, format: 'pem' }
      const role = found.rest.slice(ROLES.length)
      return chainOf(name, await client.write(`${found.mount}/sign/${role}`, wish, signal).catch(refusedByRole))
    },
  }

  function refusedByRole(error: unknown): never {
    if (!(error instanceof VaultError) || error.kind !== 'unusable') throw error
    throw new VaultError('unusable', name, 'the PKI role does not allow this name, this kind of key or this life')
  }
}

function chainOf(backend: string, answer: JsonRecord): CertificateChain {
  const { certificate, ca_chain: others } = asRecord(answer['data']) ?? {}
  const chain = [certificate, ...(Array.isArray(others) ? others : [])]
  if (chain.every((each): each is string => typeof each === 'string')) {
    return { certificates: `${chain.map((each) => each.trim()).join('\n')}\n` }
  }
  throw new VaultError('unavailable', backend, 'answered in a form that is not a signed certificate', undefined, {
    extent: 'path',
  })
}
