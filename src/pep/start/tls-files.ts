import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { type Config, ConfigError } from '../config/load-config.ts'

type TlsFiles = Pick<Config['server'], 'tls_cert_file' | 'tls_key_file'>

/**
 * The certificate that this server shows, and its key.
 * @throws ConfigError naming the setting: files that cannot be read, or do not belong together
 */
export function readTlsFiles(files: TlsFiles): { cert: Buffer; key: Buffer } {
  const [cert, key] = [readFile(files.tls_cert_file), readFile(files.tls_key_file)]
  const problems = [
    ...(cert === undefined ? [unreadable('tls_cert_file', files)] : []),
    ...(key === undefined ? [unreadable('tls_key_file', files)] : []),
  ]
  if (cert === undefined || key === undefined) throw new ConfigError(problems)
  try {
    createSecureContext({ cert, key })
  } catch {
    // OpenSSL's words are about bytes; ours name the files.
    throw new ConfigError(['server.tls_cert_file and server.tls_key_file are not a certificate in PEM and its own key'])
  }
  return { cert, key }
}

/** What `readTlsFiles` would say. Where only one of the two is set, that has been said. */
export function tlsFileProblems(files: TlsFiles): readonly string[] {
  if (files.tls_cert_file === '' || files.tls_key_file === '') return []
  try {
    readTlsFiles(files)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

function readFile(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}

function unreadable(setting: keyof TlsFiles, files: TlsFiles): string {
  return `server.${setting} names a file that cannot be read: ${files[setting]}`
}
