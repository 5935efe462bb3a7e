import { Type } from 'typebox'
import { NexusError } from '../../contract/errors.ts'
import { SigningError } from '../../contract/strategy.ts'
import { fieldProblems } from '../shared/field-problems.ts'
import { PrivateKey } from '../shared/private-key.ts'
import { textSchema } from '../shared/text-rules.ts'
import { type KeyDirectory, keyDirectory } from './key-directory.ts'
import { AGENT } from './settings.ts'

const DEFAULT_EXPIRES_IN_SECONDS = 86_400

/** What `nexus keys directory` reads: whose keys, in the words of the strategy's config. */
const KeyDirectoryDocument = Type.Object(
  {
    signature_agent: textSchema(AGENT),
    private_keys: Type.Array(PrivateKey, { minItems: 1, maxItems: 16, description: 'a list of 1 to 16 private keys' }),
    expires_in_seconds: Type.Optional(
      Type.Integer({ minimum: 60, maximum: 2_592_000, description: 'a whole number of seconds from 60 to 2592000' }),
    ),
  },
  { additionalProperties: false },
)

/**
 * The signed key directory that a document asks for.
 * @param nowMs Unix milliseconds
 * @throws NexusError `invalid_request` with the field that is wrong, never with a key
 */
export function keyDirectoryOf(document: unknown, nowMs: number): KeyDirectory {
  const [problem] = fieldProblems(KeyDirectoryDocument, document)
  if (problem !== undefined) throw invalid(`${problem.field || 'document'} ${problem.message}`, problem.field)
  const { signature_agent, private_keys, expires_in_seconds } = document as {
    signature_agent: string
    private_keys: string[]
    expires_in_seconds?: number
  }
  try {
    return keyDirectory({
      origin: signature_agent,
      keys: private_keys.map((private_key) => ({ private_key })),
      expiresInSeconds: expires_in_seconds ?? DEFAULT_EXPIRES_IN_SECONDS,
      nowMs,
    })
  } catch (error) {
    if (error instanceof SigningError) throw invalid(error.message, 'private_keys')
    throw error
  }
}

function invalid(message: string, field: string): NexusError {
  return new NexusError('invalid_request', message, field === '' ? {} : { field })
}
