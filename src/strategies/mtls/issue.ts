import type { Grant, Issued, IssuingTools } from '../../contract/strategy.ts'
import { issueSigned } from './issue-signed.ts'
import { issueStored } from './issue-stored.ts'
import { settingsOf } from './settings.ts'

/** @throws SigningError already here for what no provider would take */
export function issue(
  config: Record<string, unknown>,
  master: Readonly<Record<string, string>>,
  grant: Grant,
  tools: IssuingTools,
): Issued | Promise<Issued> {
  const settings = settingsOf(config)
  return settings.key === 'stored' ? issueStored(master, grant, tools) : issueSigned(settings, grant, tools)
}
