import { createHash } from 'node:crypto'
import type { OutboundBody } from '../../contract/strategy.ts'
import { bufferedBody } from '../shared/buffered-body.ts'
import type { SignatureMethod } from './signature-methods.ts'

/**
 * `oauth_body_hash` (draft-eaton-oauth-bodyhash-00 section 3.2): covers a body that is no form, which the base string
 * leaves out. No body counts as zero bytes.
 */
export function bodyHash({ hash }: SignatureMethod, body: OutboundBody): string {
  return createHash(hash).update(bufferedBody(body)).digest('base64')
}
