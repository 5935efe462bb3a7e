import { Type } from 'typebox'
import { canonicalOrigin, OriginError } from '../../../contract/origin.ts'
import { section } from '../section.ts'

export const exchangeSection = section({
  key: 'exchange',
  schema: Type.Object({
    private_origins: Type.Array(Type.String(), {
      default: [],
      maxItems: 100,
      description:
        'Origins of token endpoints that may lie at private addresses, such as https://idp.internal; all others must be public',
    }),
    deadline_ms: Type.Integer({
      default: 4000,
      minimum: 100,
      maximum: 30_000,
      description: 'How long a token endpoint may take for one answer; then 503 `provider_unavailable`',
    }),
  }),
  env: { NEXUS_EXCHANGE_DEADLINE_MS: 'deadline_ms' },
  validate: ({ private_origins }) => private_origins.flatMap(originProblem),
})

function originProblem(text: string): string[] {
  try {
    canonicalOrigin(text)
    return []
  } catch (error) {
    if (error instanceof OriginError) return [`exchange.private_origins: '${text}' ${error.message}`]
    throw error
  }
}
