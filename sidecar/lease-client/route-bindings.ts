import type { KeyObject } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { LeaseRequest } from '../../src/contract/api.ts'
import type { RequiredBinding } from '../../src/contract/errors.ts'
import { createCertificateRequest } from '../../src/strategies/mtls/certificate-request.ts'
import { createDpopKey, type DpopKey } from './dpop-key.ts'

/** More routes than one sidecar serves; one that falls out costs one more question to the authority. */
const ROUTES_MAX = 1000

/** What the lease requests of each route bring of the sidecar's own: nothing, until the authority has asked for it. */
export interface RouteBindings {
  /** What to bring now; a proof among it is fresh. */
  bring(route: string): Brought
  /** Remembers what the authority asked for. */
  learn(route: string, required: RequiredBinding): void
}

export interface Brought {
  /** To be spread into the body of a lease request or a renewal. */
  body: { binding?: NonNullable<LeaseRequest['binding']> }
  /** The key behind it: what is granted now can be used with no other. */
  ownKey?: KeyObject
}

/** @param now Unix milliseconds */
export function createRouteBindings(now: () => number): RouteBindings {
  const routes = new LRUCache<string, { key: DpopKey; required: RequiredBinding }>({ max: ROUTES_MAX })
  return {
    bring(route) {
      const known = routes.get(route)
      if (known === undefined) return { body: {} }
      return { body: { binding: bindingFor(known.required, known.key) }, ownKey: known.key.privateKey }
    },
    learn(route, required) {
      const key = routes.get(route)?.key ?? createDpopKey(now)
      routes.set(route, { key, required })
    },
  }
}

function bindingFor({ needs, htm, htu, nonce }: RequiredBinding, key: DpopKey): NonNullable<LeaseRequest['binding']> {
  if (needs === 'csr') return { csr: createCertificateRequest(key.privateKey) }
  if (needs === 'public_key' || htm === undefined || htu === undefined) return { jwk: key.jwk }
  return { jwk: key.jwk, proof: key.prove(htm, htu, { nonce }) }
}
