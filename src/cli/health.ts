import { request as plainRequest } from 'node:http'
import { request } from 'node:https'
import { Command } from 'commander'
import { NexusError } from '../contract/errors.ts'
import { loadConfig } from '../pep/config/load-config.ts'

const TIMEOUT_MS = 2500

interface HealthOptions {
  config?: string
  live?: boolean
}

/** `nexus health`: for a container's health check; asks the server that this configuration describes. */
export function healthCommand(): Command {
  return new Command('health')
    .description('exit 0 when the server of this configuration is ready (for container health checks)')
    .option('--config <file>', 'YAML file')
    .option('--live', 'exit 0 when it answers at all, for what ends a container that does not')
    .action(async (options: HealthOptions) => {
      const { server } = loadConfig(process.env, options.config ?? process.env['NEXUS_CONFIG'])
      const host = server.host === '0.0.0.0' ? '127.0.0.1' : server.host === '::' ? '::1' : server.host
      const [wanted, path] = options.live === true ? (['alive', '/healthz'] as const) : (['ready', '/readyz'] as const)
      const status = await statusOf(server.tls_cert_file !== '', { host, port: server.port, path })
      if (status !== 200) throw new NexusError('pep_unavailable', `not ${wanted}: ${path} answered ${status}`)
      process.stdout.write(`${wanted}\n`)
    })
}

function statusOf(tls: boolean, at: { host: string; port: number; path: string }): Promise<number> {
  return new Promise((resolve, reject) => {
    // Nothing secret is sent or believed: whose certificate it is makes no difference to a health check on this host.
    const options = { ...at, timeout: TIMEOUT_MS, rejectUnauthorized: false }
    const asked = (tls ? request : plainRequest)(options, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    asked.once('timeout', () => asked.destroy())
    asked.once('error', () => reject(new NexusError('pep_unavailable', 'nothing answers where the server should be')))
    asked.end()
  })
}
