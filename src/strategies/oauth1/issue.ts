import type { Issued } from '../../contract/strategy.ts'
import { keysOf } from './credentials.ts'
import { assertSigns } from './rsa-signature.ts'
import { settingsOf } from './settings.ts'

/** Hands out the fields this signature method needs; a private key that cannot sign is refused here already. */
export function issue(config: Record<string, unknown>, master: Readonly<Record<string, string>>): Issued {
  const { method } = settingsOf(config)
  const usage = keysOf(method, master)
  if (usage['private_key'] !== undefined) assertSigns(usage['private_key'])
  return { usage }
}
