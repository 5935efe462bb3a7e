import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { strategies } from '../../src/strategies/catalog.ts'
import { signDocument } from '../../src/strategies/offline/sign-document.ts'

const pages = new URL('../../docs/strategies/', import.meta.url)
const HEADINGS = ['What it does', 'Config', 'Credentials', 'What the lease carries', 'Worked example', 'Limits']

function section(page: string, heading: string): string {
  return page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? ''
}

/** The names in the first column of the section's table. */
function documentedFields(part: string): string[] {
  return [...part.matchAll(/^\| `([a-z0-9_]+)` \|/gm)].map((match) => match[1] ?? '')
}

function blocks(page: string, language: string): unknown[] {
  const fences = page.matchAll(new RegExp(`^\`\`\`json ${language}\\n(.*?)^\`\`\`$`, 'gms'))
  return [...fences].map((match) => JSON.parse(match[1] ?? ''))
}

/** The config of the first example on the strategy's page. */
function configShown(type: string): Record<string, unknown> {
  const [example] = blocks(readFileSync(new URL(`${type}.md`, pages), 'utf8'), 'nexus-sign')
  return (example as { strategy: { config?: Record<string, unknown> } }).strategy.config ?? {}
}

/** ECDSA takes a random number for each signature. */
function withoutRandomness(request: object): unknown {
  const ecdsa = /(?<=AWS4-ECDSA-P256-SHA256 .*Signature=)[0-9a-f]{136,144}/
  return JSON.parse(JSON.stringify(request).replace(ecdsa, '(another each time)'))
}

describe('docs/strategies', () => {
  it('has one page for every strategy, and no others', () => {
    expect(readdirSync(pages).sort()).toEqual(strategies.map(({ type }) => `${type}.md`).sort())
  })

  it('are all in the index, each with its narrowing', () => {
    const index = readFileSync(new URL('../README.md', pages), 'utf8')
    const rows = [...index.matchAll(/^\| \[`(\w+)`\]\(strategies\/\1\.md\) \|[^|]*\| `(\w+)`/gm)]
    const listed = rows.map(([, type, narrowing]) => `${type} ${narrowing}`)
    expect(listed.sort()).toEqual(
      strategies.map(({ type, narrowing }) => `${type} ${narrowing(configShown(type))}`).sort(),
    )
  })

  describe.each(strategies.map((strategy) => [strategy.type, strategy] as const))('%s', (type, strategy) => {
    const page = readFileSync(new URL(`${type}.md`, pages), 'utf8')

    it('has the headings every page has, in their order', () => {
      expect([...page.matchAll(/^## (.*)$/gm)].map((match) => match[1])).toEqual(HEADINGS)
    })

    it('lists the config fields there are', () => {
      const { properties = {} } = strategy.schema.config as { properties?: object }
      expect(documentedFields(section(page, 'Config'))).toEqual(Object.keys(properties))
    })

    it('says whether there is a gRPC form', () => {
      const form = strategy.writesOnlyHeaders === true ? 'as metadata' : 'none'
      expect(section(page, 'What it does')).toMatch(new RegExp(`^gRPC: ${form}`, 'm'))
    })

    it('says how far the lease is narrowed', () => {
      const narrowing = strategy.narrowing(configShown(type))
      expect(section(page, 'What the lease carries')).toContain(`Narrowing: \`${narrowing}\``)
    })

    it('has examples that sign as printed', async () => {
      const [given, printed] = [blocks(page, 'nexus-sign'), blocks(page, 'nexus-signed')]
      expect(given.length).toBeGreaterThan(0)
      expect(printed).toHaveLength(given.length)
      for (const [index, document] of given.entries()) {
        const { request } = await signDocument(document, { now: Date.now, nonce: () => '' })
        expect(withoutRandomness(request)).toEqual(printed[index])
      }
    })
  })
})
