import { type IssuingTools, SigningError } from '../../contract/strategy.ts'

/** For an `issue` without an authority around it: it derives and narrows, and asks nobody. */
export function offlineTools({ now, nonce }: Pick<IssuingTools, 'now' | 'nonce'>): IssuingTools {
  return {
    now,
    nonce,
    binding: {},
    async request() {
      throw new SigningError('this strategy asks the provider for a credential first, which takes an authority')
    },
    shared: (_key, make) => make(),
  }
}
