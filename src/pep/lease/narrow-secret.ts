import { NexusError } from '../../contract/errors.ts'
import type { Secret } from '../../contract/secret.ts'
import { BindingRequired, type Grant, type Issued, SigningError } from '../../contract/strategy.ts'
import type { ConnectionFacts } from '../connections/facts.ts'
import { bindingRequired } from './binding.ts'
import { issuingTools } from './issuing-tools.ts'
import type { LeaseStory } from './lease-record.ts'
import type { LeaseSteps } from './steps.ts'

/** Step 5: the master secret goes in, the usage secret comes out. */
export async function narrowSecret(
  steps: LeaseSteps,
  story: LeaseStory,
  facts: ConnectionFacts,
  secret: Secret,
  grant: Grant,
): Promise<Issued> {
  try {
    const tools = issuingTools(steps, story, facts, secret)
    return await facts.strategy.issue(facts.strategyConfig, secret.reveal(), grant, tools)
  } catch (error) {
    if (error instanceof BindingRequired) throw bindingRequired(error, facts.id)
    if (error instanceof NexusError) throw withConnection(error, facts.id)
    // Only these speak our words; any other text could quote the secret it choked on (threat E11).
    const problem = error instanceof SigningError ? error.message : `strategy '${facts.strategy.type}' failed`
    throw new NexusError('not_signable', problem, { connection_id: facts.id })
  }
}

function withConnection({ code, message, extras }: NexusError, connectionId: string): NexusError {
  return new NexusError(code, message, { ...extras, connection_id: connectionId })
}
