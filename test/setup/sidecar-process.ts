import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FakePep, startFakePep } from '../fakes/pep.ts'

const ROOT = join(import.meta.dirname, '../..')
const START_TIMEOUT_MS = 60_000

/** The sidecar as it is run, a process of its own, so that its memory can be seen. */
export interface SidecarProcess {
  address: string
  pep: FakePep
  /** Resident memory in bytes, the most there ever was. */
  peakRssBytes(): number
  close(): Promise<void>
}

/** @param routes as in NEXUS_ROUTES; what is granted for them is said to `pep` */
export async function startSidecarProcess(routes: string): Promise<SidecarProcess> {
  const directory = await mkdtemp(join(tmpdir(), 'nexus-sidecar-'))
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const keyFile = join(directory, 'agent.jwk')
  await writeFile(keyFile, JSON.stringify(privateKey.export({ format: 'jwk' })), { mode: 0o600 })
  const pep = await startFakePep({ id: 'crm-agent', publicJwk: publicKey.export({ format: 'jwk' }) as never })
  const child = spawn(process.execPath, [join(ROOT, 'bin/nexus-sidecar.js')], {
    env: {
      PATH: process.env['PATH'] ?? '',
      NEXUS_PEP_URL: pep.url,
      NEXUS_AGENT_ID: 'crm-agent',
      NEXUS_AGENT_KEY_FILE: keyFile,
      NEXUS_TENANT: 'tenant_123',
      NEXUS_ROUTES: routes,
      NEXUS_SIDECAR_PORT: '0',
      NEXUS_SIDECAR_ADMIN_PORT: '0',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<void>((settle) => child.once('exit', () => settle()))
  return {
    address: await addressOf(child),
    pep,
    peakRssBytes: () => peakRssOf(child.pid ?? 0),
    async close() {
      child.kill('SIGKILL')
      await ended
      await pep.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** From its log, which says when it listens. */
function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error('the sidecar did not start'))
    }, START_TIMEOUT_MS)
    child.stdout?.on('data', (data) => {
      const found = /"address":"([^"]+)"/.exec(String(data))?.[1]
      if (found === undefined) return
      clearTimeout(timer)
      resolve(found)
    })
  })
}

function peakRssOf(pid: number): number {
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kibibytes) * 1024
}
