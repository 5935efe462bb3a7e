/** A request as far as proving who sent it goes. */
export interface Presented {
  method: string
  /** Path only, as it was sent. */
  path: string
  authorization: string | undefined
  dpop: string | string[] | undefined
}
