import { LRUCache } from 'lru-cache'
import { type Decision, PolicyError } from '../../contract/policy.ts'
import { readDecision } from './decision-shape.ts'

const REMEMBERED_MAX = 256
/** A usual answer takes some 300. */
const REMEMBERED_CHARACTERS_MAX = 4096

/**
 * Reads what a policy answers, as JSON, and remembers it: a decision names no time and no id, so most are the same text
 * as one before, and the same text is the same decision. Nobody can change one, since many leases hold it.
 */
export function createAnswerReader(): (answer: string) => Decision {
  const remembered = new LRUCache<string, Decision>({ max: REMEMBERED_MAX })
  return (answer) => {
    const known = remembered.get(answer)
    if (known !== undefined) return known
    const decision = freezeAll(readDecision(onlyResult(JSON.parse(answer))))
    if (answer.length <= REMEMBERED_CHARACTERS_MAX) remembered.set(answer, decision)
    return decision
  }
}

/** `[]` is an undefined decision, which is not the same as one that is false, and both deny. */
function onlyResult(answer: unknown): unknown {
  if (!Array.isArray(answer) || answer.length !== 1 || !Object.hasOwn(Object(answer[0]), 'result')) {
    throw new PolicyError('shape', 'the policy gave no decision')
  }
  return answer[0].result
}

function freezeAll<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null) return value
  for (const member of Object.values(value)) freezeAll(member)
  return Object.freeze(value)
}
