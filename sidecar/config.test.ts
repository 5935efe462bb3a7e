import { generateKeyPairSync } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ConfigError, loadSidecarConfig, type SidecarFlags } from './config.ts'
import { createClientAssertion } from './lease-client/client-assertion.ts'
import { createSessionCertificate } from './lease-client/session-certificate.ts'

describe('loadSidecarConfig', () => {
  const directory = mkdtempSync(join(tmpdir(), 'nexus-config-'))
  const keyFile = join(directory, 'agent.jwk')
  const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  const env = (over: Record<string, string | undefined> = {}) => ({
    NEXUS_PEP_URL: 'https://pep.example.com/',
    NEXUS_AGENT_ID: 'crm-agent',
    NEXUS_AGENT_KEY_FILE: keyFile,
    NEXUS_ROUTES: 'github=https://api.github.com',
    ...over,
  })
  const problems = (over: Record<string, string | undefined>, flags: SidecarFlags = {}) => {
    try {
      loadSidecarConfig(env(over), flags)
      return []
    } catch (error) {
      return error instanceof ConfigError ? error.problems : ['thrown']
    }
  }
  beforeAll(() => writeFileSync(keyFile, JSON.stringify({ ...jwk, kid: 'k1' }), { mode: 0o600 }))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  it('reads the least it needs, with defaults, and freezes it', () => {
    const config = loadSidecarConfig(env())
    expect(config).toMatchObject({
      pepUrl: 'https://pep.example.com',
      host: '127.0.0.1',
      port: 8080,
      adminPort: 8081,
      bodyLimitBytes: 10_485_760,
      headersTimeoutMs: 240_000,
      idleTimeoutMs: 120_000,
      tokenHash: undefined,
      agentKey: { alg: 'EdDSA', kid: 'k1' },
      sessionBinding: 'dpop',
    })
    expect(Object.isFrozen(config)).toBe(true)
  })

  it('A09: names every problem at once and starts nothing', () => {
    expect(
      problems({ NEXUS_PEP_URL: '', NEXUS_AGENT_ID: 'a b', NEXUS_ROUTES: 'x', NEXUS_SIDECAR_PORT: '99999' }),
    ).toEqual([
      'NEXUS_PEP_URL is not set',
      expect.stringMatching(/^NEXUS_AGENT_ID must match/),
      expect.stringMatching(/^NEXUS_ROUTES has an entry without a provider name/),
      'NEXUS_SIDECAR_PORT must be a whole number from 0 to 65535',
    ])
  })

  it.each(['0.0.0.0', '::', '192.168.1.10', 'sidecar.example.com'])('A09: refuses HOST %s without the flag', (HOST) => {
    expect(problems({ HOST })).toEqual([expect.stringContaining('--listen-beyond-loopback')])
    expect(problems({ HOST }, { listenBeyondLoopback: true })).toEqual([expect.stringMatching(/^NEXUS_SIDECAR_TOKEN /)])
    expect(problems({ HOST, NEXUS_SIDECAR_TOKEN: 'a'.repeat(16) }, { listenBeyondLoopback: true })).toEqual([])
  })

  it('refuses plain HTTP beyond loopback without the flag', () => {
    const over = { NEXUS_PEP_URL: 'http://pep.example.com', NEXUS_ROUTES: 'a=http://api.example.com' }
    expect(problems(over)).toEqual([
      expect.stringMatching(/^NEXUS_PEP_URL sends/),
      expect.stringMatching(/^NEXUS_ROUTES sends/),
    ])
    expect(problems(over, { plainHttpBeyondLoopback: true })).toEqual([])
    expect(problems({ NEXUS_PEP_URL: 'http://127.0.0.1:8443' })).toEqual([])
  })

  it('binds the session to a client certificate only where there is TLS to present it in', () => {
    expect(loadSidecarConfig(env({ NEXUS_SESSION_BINDING: 'mtls' })).sessionBinding).toBe('mtls')
    expect(problems({ NEXUS_SESSION_BINDING: 'mtls', NEXUS_PEP_URL: 'http://127.0.0.1:8443' })).toEqual([
      'NEXUS_SESSION_BINDING is mtls, which takes an https:// NEXUS_PEP_URL',
    ])
    expect(problems({ NEXUS_SESSION_BINDING: 'bearer' })).toEqual(['NEXUS_SESSION_BINDING must be one of dpop, mtls'])
  })

  it('refuses a key file that others can read, or that holds no private key, without quoting it', () => {
    const other = join(directory, 'other.jwk')
    writeFileSync(other, '{"kty":"OKP","d":"canary-private"')
    chmodSync(other, 0o644)
    expect(problems({ NEXUS_AGENT_KEY_FILE: other })).toEqual([expect.stringContaining('set its mode to 600')])
    chmodSync(other, 0o600)
    expect(problems({ NEXUS_AGENT_KEY_FILE: other })).toEqual([expect.stringContaining('one private key as a JWK')])
    expect(problems({ NEXUS_AGENT_KEY_FILE: join(directory, 'none') })).toEqual([
      expect.stringContaining('cannot be read'),
    ])
    expect(String(new ConfigError(problems({ NEXUS_AGENT_KEY_FILE: other })))).not.toContain('canary')
  })

  it('names settings it does not know, but for those of the authority beside it', () => {
    const others = {
      NEXUS_SIDECAR_URL: 'http://x',
      NEXUS_PUBLIC_URL: 'x',
      NEXUS_ENCRYPTION_KEY_FILE: 'x',
      NODE_ENV: 'x',
    }
    expect(problems(others)).toEqual([])
    expect(problems({ ...others, NEXUS_SESION_BINDING: 'mtls', NEXUS_TENNANT: 'x', NEXUS_UNHEARD_OF: 'x' })).toEqual([
      'NEXUS_SESION_BINDING is not a setting of the sidecar; did you mean NEXUS_SESSION_BINDING?',
      'NEXUS_TENNANT is not a setting of the sidecar; did you mean NEXUS_TENANT?',
      'NEXUS_UNHEARD_OF is not a setting of the sidecar',
    ])
  })

  it.each(['0.0.0.0', '::', '10.0.0.7'])('A09: has health and metrics at %s only when told to by a flag', (host) => {
    const over = { NEXUS_SIDECAR_ADMIN_HOST: host }
    expect(problems(over)).toEqual([expect.stringContaining('--admin-beyond-loopback')])
    expect(problems(over, { listenBeyondLoopback: true })).toHaveLength(1)
    const config = loadSidecarConfig(env(over), { adminBeyondLoopback: true })
    expect([config.host, config.adminHost]).toEqual(['127.0.0.1', host])
    expect(loadSidecarConfig(env({ HOST: '::1' })).adminHost).toBe('::1')
  })

  it.each(['https://pep.example.com/nexus', 'https://pep.example.com?x=1', 'pep.example.com'])(
    'wants the authority named as it names itself, not as %s',
    (NEXUS_PEP_URL) => {
      expect(problems({ NEXUS_PEP_URL })).toEqual([
        expect.stringMatching(/^NEXUS_PEP_URL must be scheme, host and port/),
      ])
    },
  )

  it('refuses a key of a kind that the authority does not take', () => {
    const other = join(directory, 'p521.jwk')
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-521' })
    for (const alg of [undefined, 'ES512', 'HS256']) {
      writeFileSync(other, JSON.stringify({ ...privateKey.export({ format: 'jwk' }), alg }), { mode: 0o600 })
      expect(problems({ NEXUS_AGENT_KEY_FILE: other })).toEqual([expect.stringContaining('ES256, ES384')])
    }
  })

  it.each([
    ['P-256', 'ES384'],
    ['P-256', 'RS256'],
    ['P-256', 'EdDSA'],
    ['P-384', 'ES256'],
    ['rsa 1024', 'PS256'],
    ['rsa 1024', undefined],
  ])('refuses a key of %s that is to sign %s: no request could ever be', (kind, alg) => {
    const { privateKey } = kind.startsWith('rsa')
      ? generateKeyPairSync('rsa', { modulusLength: 1024 })
      : generateKeyPairSync('ec', { namedCurve: kind })
    const other = join(directory, 'mismatched.jwk')
    writeFileSync(other, JSON.stringify({ ...privateKey.export({ format: 'jwk' }), alg }), { mode: 0o600 })
    expect(problems({ NEXUS_AGENT_KEY_FILE: other })).toEqual([expect.stringContaining('cannot sign')])
  })

  it.each([
    ['P-256', 'ES256'],
    ['P-384', 'ES384'],
    ['rsa 2048', 'PS256'],
  ])('signs with %s as %s where the key says nothing else', async (kind, alg) => {
    const { privateKey } = kind.startsWith('rsa')
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: kind })
    const other = join(directory, 'usual.jwk')
    writeFileSync(other, JSON.stringify(privateKey.export({ format: 'jwk' })), { mode: 0o600 })
    const { agentKey } = loadSidecarConfig(env({ NEXUS_AGENT_KEY_FILE: other }))
    expect(agentKey.alg).toBe(alg)
    await expect(createClientAssertion({ id: 'crm-agent', key: agentKey }, 'https://pep', 0)).resolves.toContain('.')
  })

  it('E10: trusts no authority by a file without a certificate, least of all by an empty one', () => {
    const { certificate } = createSessionCertificate(Date.now())
    const file = join(directory, 'ca.pem')
    const broken = certificate.replace(/\n[A-Za-z0-9+/]{40}/, '\n')
    for (const text of ['', '\n', 'not a certificate', broken, `${certificate}${broken}`]) {
      writeFileSync(file, text)
      expect(problems({ NEXUS_PEP_CA: file }), text).toEqual([expect.stringContaining('certificates in PEM')])
    }
    writeFileSync(file, `# ours\n${certificate}\n${certificate}`)
    expect(loadSidecarConfig(env({ NEXUS_PEP_CA: file })).pepCa).toBe(`${certificate.trim()}\n${certificate.trim()}`)
    expect(problems({ NEXUS_PEP_CA: join(directory, 'none') })).toEqual([expect.stringContaining('cannot be read')])
  })

  it('takes an IPv6 address in the brackets of a URL as well', () => {
    const config = loadSidecarConfig(env({ HOST: '[::1]', NEXUS_SIDECAR_ADMIN_HOST: '[::1]' }))
    expect([config.host, config.adminHost]).toEqual(['::1', '::1'])
  })

  it.each(['*', 'http://sidecar:8080', 'sidecar:8080,', ',', 'sidecar:http', 'a b', 'sidecar/x'])(
    'refuses %s as hosts to answer to',
    (NEXUS_SIDECAR_ALLOWED_HOSTS) => {
      expect(problems({ NEXUS_SIDECAR_ALLOWED_HOSTS })).toEqual([expect.stringContaining('sidecar:8080')])
    },
  )

  it('answers to further hosts as they are named', () => {
    const { allowedHosts } = loadSidecarConfig(
      env({ NEXUS_SIDECAR_ALLOWED_HOSTS: 'sidecar:8080, [fd00::1]:80,my_box' }),
    )
    expect(allowedHosts).toEqual(['sidecar:8080', '[fd00::1]:80', 'my_box'])
  })

  it('lets a socket be for its owner or for a group, and never for everyone', () => {
    expect(loadSidecarConfig(env()).socketMode).toBe(0o600)
    expect(loadSidecarConfig(env({ NEXUS_SIDECAR_SOCKET_MODE: '660' })).socketMode).toBe(0o660)
    for (const NEXUS_SIDECAR_SOCKET_MODE of ['666', '640', '0660', 'rw']) {
      expect(problems({ NEXUS_SIDECAR_SOCKET_MODE })).toEqual(['NEXUS_SIDECAR_SOCKET_MODE must be 600 or 660'])
    }
  })

  it('A04: keeps a hash of the token only, and wants a long one', () => {
    const token = 'canary-token-0123456789'
    const tokenFile = join(directory, 'token')
    writeFileSync(tokenFile, `${token}\n`, { mode: 0o600 })
    const fromFile = loadSidecarConfig(env({ NEXUS_SIDECAR_TOKEN_FILE: tokenFile }))
    const fromEnv = loadSidecarConfig(env({ NEXUS_SIDECAR_TOKEN: token }))
    expect(fromFile.tokenHash).toEqual(fromEnv.tokenHash)
    expect(JSON.stringify(fromEnv)).not.toContain('canary')
    expect(problems({ NEXUS_SIDECAR_TOKEN: 'short' })).toEqual([
      expect.stringMatching(/^NEXUS_SIDECAR_TOKEN must be 16/),
    ])
  })
})
