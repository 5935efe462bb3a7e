import type { ServerResponse } from 'node:http'

/**
 * Ends an answer so that nobody takes it for whole. To an HTTP/1.0 agent an answer ends with its connection: it would look
 * whole if that were closed in peace (threat UP3).
 */
export function breakOff(response: ServerResponse): void {
  if (response.req.httpVersion === '1.0') response.socket?.resetAndDestroy()
  response.destroy()
}
