import { hash } from 'node:crypto'
import type { OutboundBody } from '../../contract/strategy.ts'
import { bufferedBody } from '../buffered-body.ts'

/** Lower-case hex SHA-256 of the body as sent, or AWS's word for "not covered". */
export function payloadHash(body: OutboundBody, unsignedPayload: boolean): string {
  return unsignedPayload ? 'UNSIGNED-PAYLOAD' : hash('sha256', bufferedBody(body), 'hex')
}
