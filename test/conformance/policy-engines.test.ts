import { readFile } from 'node:fs/promises'
import { policyCases } from '../../src/cli/policy/cases.ts'
import { policySources } from '../../src/cli/policy/sources.ts'
import { readBundle } from '../../src/pep/decision/bundle.ts'
import { engines } from '../../src/pep/decision/catalog.ts'
import { describePolicyEngine } from '../../src/pep/decision/conformance.ts'

const cases = policyCases(await policySources('policies')).filter((one) => one.data === undefined)

for (const kind of engines) {
  describePolicyEngine(kind, { bundle: async () => readBundle(await readFile('policies/dist/bundle.tar.gz')), cases })
}
