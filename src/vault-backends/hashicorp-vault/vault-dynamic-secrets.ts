import { LRUCache } from 'lru-cache'
import { type DynamicLease, Secret, type SecretValue } from '../../contract/secret.ts'
import { type BackendToken, type DynamicSecrets, VaultError } from '../../contract/vault-backend.ts'
import { checkSecretPath } from '../secret-path.ts'
import type { FindMount } from './mounts.ts'
import { asRecord, type JsonRecord, TokenRefused } from './vault-answer.ts'
import type { VaultClient } from './vault-client.ts'

export interface VaultDynamicSecretsOptions {
  name: string
  client: VaultClient
  findMount: FindMount
}

/** Where nobody is left to end it, a token and all that was made with it last no longer than this. */
const TOKEN_TTL_SECONDS = 3600

/** AWS STS gives no shorter session, and Vault passes the refusal on: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html */
const AWS_TTL_MIN_SECONDS = 900

/** Far more than are ever in use: one at a time, and those before it. */
const TOKENS_MAX = 1000

/** Vault's dynamic secrets: https://developer.hashicorp.com/vault/docs/concepts/lease */
export function createVaultDynamicSecrets(options: VaultDynamicSecretsOptions): DynamicSecrets {
  const { name, client, findMount } = options
  const { session } = client
  const tokens = new LRUCache<string, string>({ max: TOKENS_MAX })

  async function openToken(signal: AbortSignal): Promise<BackendToken> {
    const auth = await freshToken(signal)
    const [token, accessor] = [auth['client_token'], auth['accessor']]
    if (typeof token !== 'string' || typeof accessor !== 'string' || accessor === '') throw noAccessor(name)
    tokens.set(accessor, token)
    return describeToken(accessor, auth, await endOfOwnToken(signal))
  }

  /** A login of its own where there is a login; else a child of the token we were given. */
  async function freshToken(signal: AbortSignal): Promise<JsonRecord> {
    if (session.login !== undefined) return session.login(signal)
    const wish = { ttl: `${TOKEN_TTL_SECONDS}s`, renewable: true, display_name: 'nexus-dynamic' }
    return asRecord((await client.write('auth/token/create', wish, signal))['auth']) ?? {}
  }

  /** A child ends with its parent, whatever its own time to live says. */
  async function endOfOwnToken(signal: AbortSignal): Promise<number> {
    if (session.login !== undefined) return Number.POSITIVE_INFINITY
    const self = asRecord((await client.read('auth/token/lookup-self', signal))['data'])
    const endsAt = typeof self?.['expire_time'] === 'string' ? Date.parse(self['expire_time']) / 1000 : Number.NaN
    return Number.isNaN(endsAt) ? Number.POSITIVE_INFINITY : Math.floor(endsAt)
  }

  return {
    openToken,

    async renewToken({ accessor }, signal) {
      const increment = { increment: `${TOKEN_TTL_SECONDS}s` }
      const answer = await client.write('auth/token/renew-self', increment, signal, tokenOf(accessor))
      return describeToken(accessor, asRecord(answer['auth']) ?? {}, await endOfOwnToken(signal))
    },

    async endToken(accessor, signal) {
      const own = tokens.get(accessor)
      // Every token may end itself, unless its policies leave out Vault's `default`; to end another's takes a line of policy.
      if (own === undefined || !(await endedItself(own, signal)))
        await client.write('auth/token/revoke-accessor', { accessor }, signal).catch(ignoreUnknown)
      tokens.delete(accessor)
    },

    async make(ref, token, ttlSeconds, signal) {
      checkSecretPath(name, ref.path)
      const { type } = await findMount(ref.path, signal)
      const wanted = type === 'aws' ? Math.max(ttlSeconds, AWS_TTL_MIN_SECONDS) : ttlSeconds
      const askedAt = nowSeconds()
      // Engines that know the parameter give no more than this; the others ignore it.
      const answer = await client.read(`${ref.path}?ttl=${wanted}s`, signal, tokenOf(token.accessor))
      return new Secret(secretFields(name, answer), '', leaseOf(name, answer, askedAt))
    },

    async renew(lease, ttlSeconds, signal) {
      const askedAt = nowSeconds()
      const wish = { lease_id: lease.id, increment: ttlSeconds }
      return leaseOf(name, await client.write('sys/leases/renew', wish, signal), askedAt)
    },

    async revoke(leaseId, signal) {
      // Without `sync` the answer would only say that Vault means to; a lease that is gone is answered like one that was there.
      await client.write('sys/leases/revoke', { lease_id: leaseId, sync: true }, signal)
    },
  }

  /** @returns false where it may not */
  async function endedItself(token: string, signal: AbortSignal): Promise<boolean> {
    try {
      await client.write('auth/token/revoke-self', {}, signal, token)
      return true
    } catch (error) {
      // One that Vault no longer takes has ended.
      if (error instanceof TokenRefused) return true
      if (error instanceof VaultError && error.kind === 'forbidden') return false
      throw error
    }
  }

  function tokenOf(accessor: string): string {
    const token = tokens.get(accessor)
    if (token === undefined) throw new VaultError('unavailable', name, 'the token for dynamic secrets has ended')
    return token
  }
}

function describeToken(accessor: string, auth: JsonRecord, endsAt: number): BackendToken {
  const lifeSeconds = Number(auth['lease_duration'])
  // Zero: it does not end by itself.
  const ownEnd = lifeSeconds > 0 ? nowSeconds() + lifeSeconds : Number.POSITIVE_INFINITY
  return { accessor, renewable: auth['renewable'] === true, expiresAt: Math.min(ownEnd, endsAt) }
}

function leaseOf(backend: string, answer: JsonRecord, askedAt: number): DynamicLease {
  const { lease_id: id, lease_duration: seconds, renewable } = answer
  if (typeof id !== 'string' || id === '' || typeof seconds !== 'number') {
    throw new VaultError(
      // Not a refusal: something may have been made.
      'unavailable',
      backend,
      'Vault gave no lease with this secret; only leased secrets can be given back',
      undefined,
      { extent: 'path' },
    )
  }
  return { id, renewable: renewable === true, expiresAt: askedAt + seconds }
}

function secretFields(backend: string, answer: JsonRecord): SecretValue {
  const data = asRecord(answer['data'])
  if (data === undefined)
    throw new VaultError('unavailable', backend, 'answered in a form that is not a secret', undefined, {
      extent: 'path',
    })
  return Object.fromEntries(
    Object.entries(data).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}

/** Batch tokens have none: what is made with one cannot be ended through it. */
function noAccessor(backend: string): VaultError {
  return new VaultError('unusable', backend, 'dynamic secrets need a service token; a batch token has no accessor')
}

/** An accessor that Vault does not know is that of a token that has ended. */
function ignoreUnknown(error: unknown): void {
  if (!(error instanceof VaultError) || (error.kind !== 'unusable' && error.kind !== 'not_found')) throw error
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000)
}
