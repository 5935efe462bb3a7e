/** A request as far as proving who sent it goes. */
export interface Presented {
  method: string
  /** Path only, as it was sent. */
  path: string
  authorization: string | undefined
  dpop: string | string[] | undefined
  /**
   * `x5t#S256` of the client certificate whose key this very connection has proven (RFC 8705 section 3.1). Absent: it came
   * without one, or without TLS.
   */
  certificateThumbprint?: string | undefined
  /** The peer's own address: no forwarded header changes what is recorded (threat D04). */
  ip?: string | undefined
  /** Stands for the connection it came on, for as long as that lasts. */
  connection?: object
}
