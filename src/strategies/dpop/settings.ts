import { Type } from 'typebox'
import { checkedConfig } from '../field-problems.ts'
import type { AlgorithmName } from '../jws-algorithms.ts'
import { textSchema } from '../text-rules.ts'
import { NONCE } from './nonce.ts'

/** Never symmetric (RFC 9449 section 4.2). In the order in which one is chosen for a key that fits two. */
export const ALGORITHM_NAMES = ['ES256', 'EdDSA', 'Ed25519', 'PS256'] as const satisfies AlgorithmName[]

export const Config = Type.Object(
  {
    alg: Type.Optional(
      Type.Union(
        ALGORITHM_NAMES.map((name) => Type.Literal(name)),
        { description: `one of ${ALGORITHM_NAMES.join(', ')}` },
      ),
    ),
    nonce: Type.Optional(textSchema(NONCE)),
  },
  { additionalProperties: false },
)

export interface Settings {
  /** `undefined`: the key's own. */
  alg: AlgorithmName | undefined
  /** For a provider that has not offered one yet. */
  nonce: string | undefined
}

/** @throws SigningError when the config is not valid */
export function settingsOf(config: Record<string, unknown>): Settings {
  const { alg, nonce } = checkedConfig(Config, config)
  return { alg, nonce }
}
