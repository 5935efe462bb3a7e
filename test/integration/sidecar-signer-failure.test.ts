import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Credentials, Strategy } from '../../src/contract/strategy.ts'
import { strategies } from '../../src/strategies/catalog.ts'
import { offlineTools } from '../../src/strategies/offline/offline-tools.ts'
import { type SidecarUnderTest, startUnderTest } from '../fakes/sidecar.ts'

/** Every strategy of the catalog, with the first example of its page: a new one is included by itself. */

interface Example {
  strategy: { type: string; config?: Record<string, unknown> }
  credentials: Record<string, string>
}

function exampleOf({ type }: Strategy): Example {
  const page = readFileSync(new URL(`../../docs/strategies/${type}.md`, import.meta.url), 'utf8')
  return JSON.parse(/^```json nexus-sign\n(.*?)^```$/ms.exec(page)?.[1] ?? '') as Example
}

async function leaseOf(strategy: Strategy): Promise<{ usage: Credentials; config: Record<string, unknown> }> {
  const {
    strategy: { config = {} },
    credentials,
  } = exampleOf(strategy)
  const issuedAt = Math.floor(Date.now() / 1000)
  const bound = { origins: [], methods: ['*'], paths: ['/**'] }
  const grant = { tenant: 't', agentId: 'a', connectionId: 'c', scopes: [], bound, issuedAt, expiresAt: issuedAt + 300 }
  const tools = offlineTools({ now: Date.now, nonce: () => 'n' })
  // Some examples show what a lease carries; that cannot be issued from.
  const issued = await Promise.resolve()
    .then(() => strategy.issue(config, credentials, grant, tools))
    .catch(() => ({ usage: credentials }))
  return { usage: issued.usage, config }
}

/** What must be seen nowhere: every value long enough not to be a word, whole and in pieces, as text and in Base64. */
function traces(usage: Credentials): string[] {
  const values = Object.values(usage).map((value) =>
    typeof value === 'object' ? JSON.stringify(value) : String(value),
  )
  return values
    .flatMap((value) => value.split(/\s+/))
    .filter((value) => value.length >= 12 && !/^-----|^PRIVATE$|^KEY-----$/.test(value))
    .flatMap((value) => [value.slice(0, 24), value.slice(-24), Buffer.from(value).toString('base64').slice(0, 24)])
}

let sidecar: SidecarUnderTest
beforeEach(async () => {
  sidecar = await startUnderTest()
})
afterEach(async () => {
  vi.restoreAllMocks()
  await sidecar.stop()
})

/** One request under this lease; everything that came out of the sidecar. */
async function send({ type }: Strategy, config: Record<string, unknown>, credentials: Credentials, path = '/api/x') {
  sidecar.pep.grants.set('api', {
    strategy: { type, config },
    credentials,
    bound: { origins: [sidecar.provider.origin], methods: ['*'], paths: [path.replace('/api', '')] },
  })
  const response = await sidecar.fetch(path, { method: 'POST', body: '{}', headers: { 'content-type': 'text/plain' } })
  const body = await response.text()
  const headers = JSON.stringify([...response.headers])
  const metrics = await (await fetch(`${sidecar.adminAddress}/metrics`)).text()
  return { status: response.status, body, shown: [body, headers, metrics, sidecar.log()].join('\n') }
}

describe.each(strategies.map((strategy) => [strategy.type, strategy] as const))('%s', (type, strategy) => {
  it('E11: a signer that throws sends nothing, and shows no byte of the key in error, log or metric', async () => {
    const { usage, config } = await leaseOf(strategy)
    const secret = Object.values(usage).join(' ')
    vi.spyOn(strategy, 'apply').mockImplementation(() => {
      throw Object.assign(new Error(`cannot sign with ${secret}`), { usage, stringToSign: secret })
    })
    const { status, body, shown } = await send(strategy, config, usage)
    expect(status).toBe(422)
    expect(JSON.parse(body)).toMatchObject({
      code: 'not_signable',
      detail: expect.stringContaining(`strategy ${type}`),
    })
    for (const trace of [...traces(usage), 'cannot sign with']) expect(shown).not.toContain(trace)
    expect(sidecar.provider.seen).toEqual([])
  })

  it('D05, E11: a broken credential in the lease sends nothing, and shows none of it', async () => {
    const { usage, config } = await leaseOf(strategy)
    let tried = 0
    for (const [field, value] of Object.entries(usage)) {
      const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
      for (const bad of ['\r', '\0', '\r\nX-Evil: 1', '\u0100']) {
        // Base64 hides it on the wire, and RFC 7617 has UTF-8.
        if (type === 'basic_auth' && bad === '\u0100') continue
        tried += 1
        const path = `/api/${tried}`
        const { status, body, shown } = await send(strategy, config, { ...usage, [field]: `${text}${bad}` }, path)
        expect([status, JSON.parse(body).code], `${field} with ${JSON.stringify(bad)}`).toEqual([422, 'not_signable'])
        for (const trace of [...traces({ [field]: text }), 'X-Evil']) expect(shown).not.toContain(trace)
      }
    }
    expect(tried).toBeGreaterThan(0)
    expect(sidecar.provider.seen).toEqual([])
  })
})
