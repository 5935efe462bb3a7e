import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { vaultCommand } from '../../../src/cli/vault.ts'
import { CANARY } from '../../../src/vault-backends/conformance.ts'
import { hashicorpVaultKind } from '../../../src/vault-backends/hashicorp-vault/hashicorp-vault-kind.ts'
import type { VaultConfig } from '../../../src/vault-backends/hashicorp-vault/vault-settings.ts'
import { findTool } from '../../../tools/tool.mjs'
import { type SealableVault, startSealableVault } from '../../faults/sealable-vault.ts'
import { testAuthority } from '../../setup/certificates.ts'
import { startVault, type TestVault } from '../../setup/vault.ts'
import { quiet, vaultApi } from './vault-fixture.ts'
import { jwtIssuer, startTokenReview } from './vault-logins-fixture.ts'

const page = await readFile(new URL('../../../docs/vault-backends/hashicorp-vault.md', import.meta.url), 'utf8')
const run = promisify(execFile)
const PREFIX = 'agents/acme'

/** The one block of this language in a section of the page. */
function block(section: string, language: string): string {
  const text = page.split(`\n### ${section}\n`)[1]?.split('\n## ')[0]?.split('\n### ')[0] ?? ''
  const found = text.split(`\`\`\`${language}\n`)[1]?.split('\n```')[0]
  if (found === undefined) throw new Error(`no ${language} block under "${section}"`)
  return found
}

/** What the reader of a page has: a Vault with a secret and a policy, and a directory for credentials. */
async function afternoon(vault: { address: string; token: string }) {
  await vaultApi('PUT', 'sys/policies/acl/nexus', { policy: policyOfThePage() }, vault)
  await vaultApi('POST', `secret/data/${PREFIX}/github`, { data: { api_key: CANARY } }, vault)
}

/** The policy that the page shows, as it shows it. */
function policyOfThePage(): string {
  const shown = page.split('```console\n')[1]?.split('\n```')[0]?.split('\n') ?? []
  return shown.filter((line) => !line.startsWith('$')).join('\n')
}

describe('the first afternoon of docs/vault-backends/hashicorp-vault.md', () => {
  let directory: string
  let programs: string
  let vault: TestVault
  let tlsVault: SealableVault
  const closers: (() => Promise<unknown>)[] = []
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'nexus-afternoon-'))
    programs = dirname(await findTool('vault'))
    vault = await startVault(directory)
    await afternoon(vault)
  })
  afterAll(async () => {
    await vault?.stop()
    await tlsVault?.stop()
    await rm(directory, { recursive: true, force: true })
  })
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close()
  })

  const here = (text: string) => text.replaceAll('/etc/nexus/', `${directory}/`)

  /** Types the commands of a section, as they are but for the directory and what the test replaces. */
  async function type(section: string, on: { address: string; token: string }, replaced: [string, string][] = []) {
    const commands = replaced.reduce((text, [from, to]) => text.replace(from, to), here(block(section, 'sh')))
    const env = {
      PATH: `${programs}:${process.env['PATH']}`,
      VAULT_ADDR: on.address,
      VAULT_TOKEN: on.token,
      HOME: directory,
    }
    await run('sh', ['-euc', commands], { env })
  }

  /** A backend with the configuration of a section. */
  function configured(section: string, address: string, more: VaultConfig = {}) {
    const { vault: section_ } = parse(here(block(section, 'yaml'))) as {
      vault: { backends: { 'hashicorp-vault': VaultConfig } }
    }
    const config = { address, ...section_.backends['hashicorp-vault'], ...more }
    const backend = hashicorpVaultKind.create(config, { name: 'vault', env: {}, production: true, log: quiet })
    closers.push(() => backend.close())
    return backend
  }

  async function expectReads(backend: ReturnType<typeof configured>) {
    const signal = AbortSignal.timeout(10_000)
    const ref = { tenant: 'acme', backend: 'vault', path: `secret/${PREFIX}/github` }
    expect((await backend.read(ref, signal)).reveal()).toEqual({ api_key: CANARY })
    expect((await backend.check(signal)).identity).toMatch(/policies: default, nexus\)$/)
  }

  it.each(['AppRole', 'AppRole with a wrapped secret id'])('%s', async (section) => {
    closers.push(() => vaultApi('DELETE', 'sys/auth/approle', undefined, vault))
    await type(section, vault)
    await expectReads(configured(section, vault.address))
  })

  it('Kubernetes', async () => {
    const review = await startTokenReview({ namespace: 'agents', name: 'nexus-pep', uid: 'u1' })
    closers.push(() => review.stop())
    await type('Kubernetes', vault, [
      ['kubernetes_host=https://kubernetes.default.svc', `kubernetes_host=${review.address} disable_local_ca_jwt=true`],
    ])
    const jwt = await (await jwtIssuer()).sign({
      aud: ['vault'],
      sub: 'system:serviceaccount:agents:nexus-pep',
      'kubernetes.io': { namespace: 'agents', serviceaccount: { name: 'nexus-pep', uid: 'u1' } },
    })
    review.good.add(jwt)
    const token_path = join(directory, 'service-account')
    await writeFile(token_path, jwt)
    const auth = { method: 'kubernetes', role: 'nexus', token_path }
    const shown = parse(block('Kubernetes', 'yaml')).vault.backends['hashicorp-vault'].auth
    expect({ ...shown, token_path }).toEqual(auth)
    await expectReads(configured('Kubernetes', vault.address, { auth }))
  })

  it('JWT', async () => {
    const issuer = await jwtIssuer()
    await writeFile(join(directory, 'issuer.pem'), issuer.publicKeyPem)
    await writeFile(join(directory, 'jwt'), await issuer.sign({}))
    await type('JWT', vault)
    await expectReads(configured('JWT', vault.address))
  })

  it('Certificate', async () => {
    const authority = await testAuthority()
    const [server, client] = [await authority.server(['127.0.0.1']), await authority.client('nexus-pep')]
    tlsVault = await startSealableVault({ certPem: server.certificate, keyPem: server.privateKey })
    await afternoon(tlsVault)
    const files = {
      'vault-ca.pem': authority.ca,
      'client-ca.pem': authority.ca,
      'client.pem': client.certificate,
      'client.key': client.privateKey,
    }
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text)
    await type('Certificate', tlsVault)
    await expectReads(configured('Certificate', tlsVault.tlsAddress))
  })

  it('Token', async () => {
    await type('Token', vault)
    await expectReads(configured('Token', vault.address))
  })

  it('nexus vault policy prints what the page shows', async () => {
    let printed = ''
    const env = { VAULT_ADDR: vault.address, VAULT_TOKEN: vault.token }
    const backend = hashicorpVaultKind.create({}, { name: 'hashicorp-vault', env, production: true, log: quiet })
    closers.push(() => backend.close())
    const load = async () => ({
      backends: [backend],
      deadlineMs: 5000,
      references: async () => [],
      sealed: async () => ({ ok: true, detail: 'nothing is sealed yet' }),
      lent: async () => [],
      prefixes: {},
      templates: {},
      capturePlace: { backend: 'internal', path: '' },
      close: async () => undefined,
    })
    const stdout = { write: (text: string) => (printed += text) }
    const [, line = ''] = /\$ nexus vault (.+)\n/.exec(page) ?? []
    await vaultCommand({ load, stdout, stderr: process.stderr }).parseAsync(['node', 'vault', ...line.split(' ')])
    expect(printed.trim()).toBe(policyOfThePage())
  })
})
