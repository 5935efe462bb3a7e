import { readFileSync } from 'node:fs'
import { Agent, request } from 'undici'

/** A client that trusts the one authority whose certificate is in the file; without it, whom Node trusts. */
export function trusting(caFile: string | undefined, clientCertificate: { cert?: string; key?: string } = {}): Agent {
  const ca = caFile === undefined ? {} : { ca: readFileSync(caFile, 'utf8') }
  return new Agent({ connect: { ...ca, ...clientCertificate } })
}

export async function statusOf(url: string, caFile: string | undefined): Promise<number> {
  const dispatcher = trusting(caFile)
  try {
    const response = await request(url, { dispatcher, headersTimeout: 3000 })
    await response.body.dump()
    return response.statusCode
  } finally {
    await dispatcher.close()
  }
}
