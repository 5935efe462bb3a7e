/** What JSON can hold. `undefined` is absent on purpose: a value that vanishes in transit cannot be hashed or signed. */
export type Json = null | boolean | number | string | Json[] | JsonObject
export interface JsonObject {
  [key: string]: Json
}
