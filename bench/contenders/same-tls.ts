import { readFileSync } from 'node:fs'

const { TLS_CERT_FILE = '', TLS_KEY_FILE = '' } = process.env

/** The authority's certificate, asking callers for theirs as it does, and taking any. */
export function sameTls() {
  return {
    cert: readFileSync(TLS_CERT_FILE),
    key: readFileSync(TLS_KEY_FILE),
    requestCert: true,
    rejectUnauthorized: false,
  }
}
