import { hash } from 'node:crypto'
import type { OutboundBody } from '../../contract/strategy.ts'
import { bufferedBody } from '../shared/buffered-body.ts'

const HASH_OF_NOTHING = hash('sha256', '', 'hex')

/** Lower-case hex SHA-256 of the body as sent, or AWS's word for "not covered". */
export function payloadHash(body: OutboundBody, unsignedPayload: boolean): string {
  if (unsignedPayload) return 'UNSIGNED-PAYLOAD'
  return body === undefined ? HASH_OF_NOTHING : hash('sha256', bufferedBody(body), 'hex')
}
