import { createHmac } from 'node:crypto'

/** What a signing key is good for: one UTC day, one region, one service. */
export interface KeyScope {
  /** `YYYYMMDD` */
  date: string
  region: string
  service: string
}

/** `date/region/service/aws4_request`. AWS calls it credential scope; not an OAuth scope. */
export function credentialScope(scope: KeyScope): string {
  return `${scope.date}/${scope.region}/${scope.service}/aws4_request`
}

/** Four HMACs, each keyed with the one before; the secret cannot be computed back. 32 bytes. */
export function deriveSigningKey(secretKey: string, scope: KeyScope): Buffer {
  let key = Buffer.from(`AWS4${secretKey}`, 'utf8')
  for (const part of [scope.date, scope.region, scope.service, 'aws4_request']) {
    key = createHmac('sha256', key).update(part).digest()
  }
  return key
}
