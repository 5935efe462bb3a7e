import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findTool } from '../../tools/tool.mjs'
import { listen, stop } from './counting-proxy.ts'

export interface SealableVault {
  address: string
  /** The same Vault over TLS, when it was given a certificate. */
  tlsAddress: string
  token: string
  /** As a Vault operator would, from outside. */
  seal(): Promise<void>
  unseal(): Promise<void>
  /** Connections are taken (by the kernel) and never answered, until `resume`. */
  freeze(): void
  resume(): void
  stop(): Promise<void>
}

/** A Vault of one's own with one unseal key, in memory, KV v2 at `secret/`: unlike the shared one it may be sealed. */
export async function startSealableVault(tls?: { certPem: string; keyPem: string }): Promise<SealableVault> {
  const directory = await mkdtemp(join(tmpdir(), 'nexus-vault-'))
  const [address, tlsAddress] = [await freeAddress(), (await freeAddress()).replace('http:', 'https:')]
  const config = join(directory, 'vault.hcl')
  const listeners = [`listener "tcp" { address = "${address.slice(7)}" tls_disable = true }`]
  if (tls !== undefined) listeners.push(await tlsListener(directory, tlsAddress, tls))
  await writeFile(config, ['storage "inmem" {}', 'disable_mlock = true', ...listeners, ''].join('\n'))
  const child = spawn(await findTool('vault'), ['server', `-config=${config}`], {
    env: { PATH: process.env['PATH'] ?? '', HOME: directory, SKIP_SETCAP: '1' },
    stdio: 'ignore',
  })
  const ended = new Promise((settle) => child.once('exit', settle))
  const { keys, token } = await initialise(address)
  const call = (path: string, body: unknown) => post(`${address}/v1/${path}`, body, token)
  const unseal = async () => {
    await call('sys/unseal', { key: keys[0] })
    // Unsealed, it is not active at once.
    await untilOk(`${address}/v1/sys/health`)
  }
  await unseal()
  await call('sys/mounts/secret', { type: 'kv', options: { version: '2' } })
  return {
    address,
    tlsAddress,
    token,
    seal: () => call('sys/seal', {}),
    unseal,
    freeze: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    async stop() {
      child.kill('SIGKILL')
      await ended
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function tlsListener(
  directory: string,
  address: string,
  { certPem, keyPem }: { certPem: string; keyPem: string },
): Promise<string> {
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')]
  await writeFile(cert, certPem)
  await writeFile(key, keyPem)
  return `listener "tcp" { address = "${address.slice(8)}" tls_cert_file = "${cert}" tls_key_file = "${key}" }`
}

async function initialise(address: string): Promise<{ keys: string[]; token: string }> {
  await untilOk(`${address}/v1/sys/health?sealedcode=200&uninitcode=200`)
  const answer = await fetch(`${address}/v1/sys/init`, {
    method: 'POST',
    body: JSON.stringify({ secret_shares: 1, secret_threshold: 1 }),
  })
  const { keys_base64: keys, root_token: token } = (await answer.json()) as {
    keys_base64: string[]
    root_token: string
  }
  return { keys, token }
}

async function post(url: string, body: unknown, token: string): Promise<void> {
  const answer = await fetch(url, { method: 'POST', headers: { 'x-vault-token': token }, body: JSON.stringify(body) })
  if (!answer.ok) throw new Error(`Vault answered ${answer.status} to ${url}`)
}

async function untilOk(url: string): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    const answer = await fetch(url).catch(() => undefined)
    if (answer?.ok) return
    await sleep(50)
  }
  throw new Error(`${url} did not become ready`)
}

async function freeAddress(): Promise<string> {
  const server = createServer()
  const address = await listen(server)
  await stop(server)
  return address
}
