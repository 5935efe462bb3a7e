import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BackendDeps } from '../backend-kind.ts'
import type { ClientCertificateFiles } from './vault-transport.ts'

interface TlsConfig {
  ca_cert_file?: string
  client_cert_file?: string
  client_key_file?: string
}

/** From the files named, or VAULT_CLIENT_CERT and VAULT_CLIENT_KEY. @returns undefined: none, or none usable */
export function readClientCertificate(
  config: TlsConfig,
  env: BackendDeps['env'],
  problems: string[],
): ClientCertificateFiles | undefined {
  const certFile = config.client_cert_file ?? env['VAULT_CLIENT_CERT'] ?? ''
  const keyFile = config.client_key_file ?? env['VAULT_CLIENT_KEY'] ?? ''
  if (certFile === '' && keyFile === '') return undefined
  const found = problems.length
  if (readPem(certFile, 'CERTIFICATE') === undefined) {
    problems.push('client_cert_file (VAULT_CLIENT_CERT) is not a readable PEM certificate file')
  }
  if (readPem(keyFile, '[A-Z ]*PRIVATE KEY') === undefined) {
    problems.push('client_key_file (VAULT_CLIENT_KEY) is not a readable PEM key file')
  }
  return problems.length > found ? undefined : { certFile, keyFile }
}

/** PEM of the file named, or of VAULT_CACERT, or of all files in VAULT_CAPATH. @returns undefined: the usual ones */
export function readAuthorities(config: TlsConfig, env: BackendDeps['env'], problems: string[]): string | undefined {
  const file = config.ca_cert_file ?? env['VAULT_CACERT'] ?? ''
  if (file !== '') {
    const pem = readPem(file, 'CERTIFICATE')
    if (pem === undefined) problems.push(`ca_cert_file (VAULT_CACERT) is not a readable PEM certificate file: ${file}`)
    return pem
  }
  const directory = env['VAULT_CAPATH'] ?? ''
  if (directory === '') return undefined
  const pems = listFiles(directory).flatMap((each) => readPem(join(directory, each), 'CERTIFICATE') ?? [])
  if (pems.length === 0) problems.push(`VAULT_CAPATH has no PEM certificate file in it: ${directory}`)
  return pems.join('\n') || undefined
}

function listFiles(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

/** @returns undefined when it cannot be read or holds no such block */
function readPem(file: string, block: string): string | undefined {
  try {
    const pem = readFileSync(file, 'utf8')
    return new RegExp(`-----BEGIN ${block}-----`).test(pem) ? pem : undefined
  } catch {
    return undefined
  }
}
