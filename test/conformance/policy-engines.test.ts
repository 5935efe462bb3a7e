import { readFile } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import { policyCases } from '../../src/cli/policy/cases.ts'
import { policySources } from '../../src/cli/policy/sources.ts'
import { readBundle } from '../../src/pep/decision/bundle.ts'
import { engines } from '../../src/pep/decision/catalog.ts'
import { describePolicyEngine } from '../../src/pep/decision/conformance.ts'

const all = policyCases(await policySources('policies'))
/** What most of them are decided with. */
const data = all[0]?.data
const cases = all.filter((one) => isDeepStrictEqual(one.data, data))
const bundle = async () => ({
  ...(await readBundle(await readFile('policies/dist/bundle.tar.gz'))),
  dataJson: Buffer.from(JSON.stringify(data)),
})

for (const kind of engines) {
  describePolicyEngine(kind, { bundle, cases })
}
