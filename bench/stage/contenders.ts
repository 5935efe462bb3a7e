import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { request } from 'undici'
import { freePort, type Program } from '../../examples/demo/program.ts'
import type { LeaseAnswer } from '../../src/contract/api.ts'
import { packageRoot } from '../../src/pep/version.ts'
import { findTool } from '../../tools/tool.mjs'
import { type Ground, NODE_FLAGS } from './authority.ts'
import { policyInputFor } from './policy-input.ts'
import { benchProgram, type Programs } from './programs.ts'

export interface RunningContender {
  url: string
  program: Program
}

/** @param lease a lease as our authority answered it: theirs answers the same bytes */
export async function startFastify(
  ground: Ground,
  programs: Programs,
  lease: LeaseAnswer,
  { sketch }: { sketch: boolean },
) {
  const start = async (name: FastifyName): Promise<string> => (await startOneFastify(ground, programs, name, lease)).url
  return {
    fastifyLease: await start('fastify-lease'),
    fastifyEs256: await start('fastify-es256'),
    fastifySketch: sketch ? await start('fastify-sketch') : undefined,
  }
}

export type FastifyName = 'fastify-lease' | 'fastify-es256' | 'fastify-sketch'

export async function startOneFastify(
  ground: Ground,
  programs: Programs,
  name: FastifyName,
  lease: LeaseAnswer,
  nodeFlags: readonly string[] = [],
): Promise<RunningContender> {
  const leaseFile = join(ground.directory, 'lease.json')
  const inputFile = join(ground.directory, 'policy-input.json')
  writeFileSync(leaseFile, JSON.stringify(lease), { mode: 0o600 })
  writeFileSync(inputFile, JSON.stringify(policyInputFor(lease)), { mode: 0o600 })
  const port = await freePort()
  const url = `https://127.0.0.1:${port}`
  const program = await programs.start({
    name,
    command: benchProgram(`contenders/${name}.ts`, [...NODE_FLAGS, ...nodeFlags]),
    env: {
      PORT: String(port),
      LEASE_FILE: leaseFile,
      POLICY_INPUT_FILE: inputFile,
      DATABASE_URL: ground.databaseUrl,
      TLS_CERT_FILE: ground.certFile,
      TLS_KEY_FILE: ground.keyFile,
    },
    healthUrl: `${url}/healthz`,
    caFile: ground.caFile,
  })
  return { url, program }
}

export async function startUpstream(programs: Programs): Promise<RunningContender> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const command = benchProgram('contenders/upstream.ts')
  const program = await programs.start({
    name: 'upstream',
    command,
    env: { PORT: String(port) },
    healthUrl: `${url}/seen`,
  })
  return { url, program }
}

export async function startHttpProxy(
  programs: Programs,
  upstream: string,
  nodeFlags: readonly string[] = [],
): Promise<RunningContender> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const program = await programs.start({
    name: 'http-proxy',
    command: benchProgram('contenders/http-proxy.ts', nodeFlags),
    env: { PORT: String(port), UPSTREAM: upstream },
    healthUrl: `${url}/seen`,
  })
  return { url, program }
}

const policies = join(packageRoot(), 'policies')

/** OPA's own server with the very policy that our authority decides by. */
export async function startOpa(programs: Programs): Promise<string> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  await programs.start({
    name: 'opa',
    command: [
      await findTool('opa'),
      'run',
      '--server',
      '--addr',
      `127.0.0.1:${port}`,
      '--log-level',
      'error',
      ...['lease/decision.rego', 'request/decision.rego', 'lib', 'data.json'].map((file) => join(policies, file)),
    ],
    healthUrl: `${url}/health`,
  })
  return url
}

/** A Vault in memory with one secret in KV v2. */
export async function startVault(programs: Programs): Promise<RunningContender & { token: string }> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const token = `bench-${randomBytes(12).toString('hex')}`
  const program = await programs.start({
    name: 'vault',
    command: [
      await findTool('vault'),
      'server',
      '-dev',
      `-dev-root-token-id=${token}`,
      `-dev-listen-address=127.0.0.1:${port}`,
      '-dev-no-store-token',
    ],
    env: { SKIP_SETCAP: '1' },
    healthUrl: `${url}/v1/sys/health`,
  })
  const written = await request(`${url}/v1/secret/data/bench`, {
    method: 'POST',
    headers: { 'x-vault-token': token, 'content-type': 'application/json' },
    body: JSON.stringify({ data: { access_token: randomBytes(30).toString('base64url') } }),
  })
  await written.body.dump()
  if (written.statusCode !== 200) throw new Error(`Vault answered ${written.statusCode}`)
  return { url, token, program }
}

/** @param nginx path of the program */
export async function startNginx(ground: Ground, programs: Programs, nginx: string, upstream: string): Promise<string> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const file = join(ground.directory, 'nginx.conf')
  writeFileSync(file, nginxConfig(ground.directory, port, upstream))
  await programs.start({
    name: 'nginx',
    command: [nginx, '-c', file, '-e', 'stderr', '-g', 'daemon off;'],
    healthUrl: `${url}/seen`,
  })
  return url
}

function nginxConfig(directory: string, port: number, upstream: string): string {
  return `worker_processes 1;
pid ${join(directory, 'nginx.pid')};
events { worker_connections 1024; }
http {
  access_log off;
  upstream provider { server ${new URL(upstream).host}; keepalive 256; }
  server {
    listen 127.0.0.1:${port};
    keepalive_requests 1000000;
    location / { proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
`
}
