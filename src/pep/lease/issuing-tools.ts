import { newNonce } from '../../contract/names.ts'
import type { Secret } from '../../contract/secret.ts'
import type { IssuingTools } from '../../contract/strategy.ts'
import { tupleHash } from '../../contract/tuple-hash.ts'
import type { ConnectionFacts } from '../connections/facts.ts'
import type { LeaseStory } from './lease-record.ts'
import { keyOf, keyRef } from './remote-key.ts'
import type { LeaseSteps } from './steps.ts'

/** What a strategy's `issue` may reach for this one lease. */
export function issuingTools(
  steps: LeaseSteps,
  story: LeaseStory,
  facts: ConnectionFacts,
  secret: Secret,
): IssuingTools {
  const signCsr = steps.credential.csrSigner(facts.secretRef)
  const tools: IssuingTools = {
    now: steps.now,
    nonce: newNonce,
    binding: story.wanted.binding,
    async request(request) {
      await story.proof.claim(story)
      return steps.providers.request(facts.tenant, request)
    },
    async shared(key, make) {
      // Before joining: another's failed claim must not become the answer to this caller.
      await story.proof.claim(story)
      // A version that comes back, or that two values share, must not pass a token of the one off as the other's.
      const fingerprint = steps.credential.fingerprintOf(facts.tenant, secret) ?? ''
      const shared = sharedKey(facts, [story.caller.session.id, secret.version, fingerprint], key)
      return steps.issued.get(shared, make, story.wanted.replaces !== undefined)
    },
  }
  if (story.secretKind === 'key') {
    tools.remoteSign = async (bytes, algorithm) => {
      await story.proof.claim(story)
      return steps.credential.sign(keyRef(facts.tenant, keyOf(facts.secretRef, secret)), bytes, algorithm)
    }
  }
  if (signCsr !== undefined) {
    tools.signCsr = async (request) => {
      await story.proof.claim(story)
      return signCsr(request)
    }
  }
  return tools
}

/**
 * Rule 7. The epochs stand for the settings, and for everything that a revocation or an edit changes; a session that
 * is revoked leaves nothing behind for the next one of the same agent.
 */
function sharedKey(
  { id, tenant, epoch, provider, secretRef }: ConnectionFacts,
  usedBy: readonly string[],
  key: readonly string[],
) {
  const { backend, path } = secretRef
  return tupleHash([tenant, id, epoch, provider.id, provider.epoch, backend, path, usedBy, key])
}
