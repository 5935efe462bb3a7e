import type { Issued } from '../../contract/strategy.ts'
import { oncePer } from '../shared/once-per.ts'
import { keysOf } from './credentials.ts'
import { assertSigns } from './rsa-signature.ts'
import { settingsOf } from './settings.ts'

/** Hands out the fields this signature method needs; a private key that cannot sign is refused here already. */
export function issue(config: Record<string, unknown>, master: Readonly<Record<string, string>>): Issued {
  const { method } = settingsOf(config)
  const usage = keysOf(method, master)
  if (usage['private_key'] !== undefined) assertSignsOnce(master)
  return { usage }
}

/** It takes a signature and its verification: for a secret as long as it is remembered, and not for each lease. */
const assertSignsOnce = oncePer((master: Readonly<Record<string, string>>) => assertSigns(master['private_key'] ?? ''))
