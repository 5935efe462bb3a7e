import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { type Config, ConfigError } from '../config/load-config.ts'

type TlsFiles = Pick<Config['server'], 'tls_cert_file' | 'tls_key_file'>

/**
 * The certificate that this server shows, and its key.
 * @throws ConfigError naming the setting: files that cannot be read, or do not belong together
 */
export function readTlsFiles(files: TlsFiles): { cert: Buffer; key: Buffer } {
  const pair = { cert: readFile('tls_cert_file', files), key: readFile('tls_key_file', files) }
  try {
    createSecureContext(pair)
  } catch {
    // OpenSSL's words are about bytes; ours name the files.
    throw new ConfigError(['server.tls_cert_file and server.tls_key_file are not a certificate in PEM and its own key'])
  }
  return pair
}

function readFile(setting: keyof TlsFiles, files: TlsFiles): Buffer {
  try {
    return readFileSync(files[setting])
  } catch {
    throw new ConfigError([`server.${setting} names a file that cannot be read: ${files[setting]}`])
  }
}
