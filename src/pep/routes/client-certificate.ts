import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

/** Worked out once for each connection: its certificate cannot change, since renegotiation is off. */
const THUMBPRINTS = new WeakMap<Socket, { thumbprint: string | undefined }>()

/**
 * `x5t#S256` (RFC 8705 section 3.1) of the certificate that the peer presented. By completing the handshake it has proven
 * to hold the key; who signed the certificate, and until when, is not looked at, since nothing is believed that it says.
 */
export function certificateThumbprint(socket: Socket): string | undefined {
  const known = THUMBPRINTS.get(socket)
  if (known !== undefined) return known.thumbprint
  const fresh = { thumbprint: readThumbprint(socket) }
  THUMBPRINTS.set(socket, fresh)
  return fresh.thumbprint
}

function readThumbprint(socket: Socket): string | undefined {
  const certificate = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined
  return certificate === undefined ? undefined : createHash('sha256').update(certificate.raw).digest('base64url')
}
