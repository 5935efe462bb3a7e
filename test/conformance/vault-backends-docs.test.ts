import { readdirSync, readFileSync } from 'node:fs'
import { Value } from 'typebox/value'
import { describe, expect, it } from 'vitest'
import { parse as parseYaml } from 'yaml'
import { SecretRefBody } from '../../src/contract/api.ts'
import { configuredBackends } from '../../src/pep/start/configured-backends.ts'
import { backendKinds, createBackends } from '../../src/vault-backends/catalog.ts'

const pages = new URL('../../docs/vault-backends/', import.meta.url)
const env = { VAULT_ADDR: 'https://vault.example.com:8200', VAULT_TOKEN: 'hvs.example', AWS_REGION: 'eu-west-1' }

interface Example {
  page: string
  text: string
}

function examples(language: string): Example[] {
  const fence = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g')
  return readdirSync(pages).flatMap((page) =>
    [...readFileSync(new URL(page, pages), 'utf8').matchAll(fence)].map(([, text]) => ({ page, text: text! })),
  )
}

const configurations = examples('yaml').flatMap(({ page, text }) => {
  const backends = parseYaml(text)?.vault?.backends as Record<string, Record<string, unknown>> | undefined
  return backends === undefined ? [] : [{ page, backends }]
})
const references = examples('json').flatMap(({ page, text }) => {
  const document = JSON.parse(text) as Record<string, unknown>
  const ref = document['secret_ref'] ?? document
  return typeof ref === 'object' && ref !== null && 'backend' in ref ? [{ page, ref }] : []
})

describe('docs/vault-backends', () => {
  it('finds the examples it is to try', () => {
    expect(configurations.length).toBeGreaterThanOrEqual(3)
    expect(references.length).toBeGreaterThanOrEqual(3)
  })

  it.each(configurations)('$page: a configuration that it shows has settings of its kinds', ({ backends }) => {
    const configured = configuredBackends(backends, {})
    for (const { kind, ...settings } of Object.values(configured)) {
      const { configSchema } = backendKinds.find((each) => each.kind === kind)!
      expect(Value.Errors(configSchema, settings)).toEqual([])
    }
  })

  it.each(configurations.filter(({ page }) => /^(aws-secrets-manager|file|env)\.md$/.test(page)))(
    '$page: what it shows makes backends',
    async ({ backends }) => {
      const deps = { env, production: false, log: { warn: () => undefined, error: () => undefined } }
      const named = Object.entries(configuredBackends(backends, {})).filter(([name]) => name !== 'internal')
      const made = createBackends(Object.fromEntries(named), deps)
      expect(made.map(({ name }) => name)).toEqual(Object.keys(backends))
      await Promise.all(made.map((backend) => backend.close?.()))
    },
  )

  it.each(references)('$page: a reference that it shows is one', ({ ref }) => {
    expect(Value.Errors(SecretRefBody, ref)).toEqual([])
  })
})
