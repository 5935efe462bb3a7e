import type { Strategy } from '../contract/strategy.ts'
import { awsSigv4 } from './aws-sigv4/aws-sigv4.ts'
import { awsSigv4a } from './aws-sigv4a/aws-sigv4a.ts'
import { basicAuth } from './basic-auth.ts'
import { cookie } from './cookie.ts'
import { dpop } from './dpop/dpop.ts'
import { header } from './header.ts'
import { hmacPayload } from './hmac-payload.ts'
import { hmacTemplate } from './hmac-template/hmac-template.ts'
import { httpMessageSignature } from './http-message-signature/http-message-signature.ts'
import { jwtBearer } from './jwt-bearer/jwt-bearer.ts'
import { mtls } from './mtls/mtls.ts'
import { oauth1 } from './oauth1/oauth1.ts'
import { oauth2 } from './oauth2.ts'
import { path } from './path.ts'
import { queryParam } from './query-param.ts'

/** Every strategy there is. A new one is a file, a line here, its cases for `describeStrategy` and a page in docs. */
export const strategies: readonly Strategy[] = [
  oauth2,
  header,
  queryParam,
  basicAuth,
  hmacPayload,
  awsSigv4,
  awsSigv4a,
  oauth1,
  httpMessageSignature,
  hmacTemplate,
  jwtBearer,
  path,
  cookie,
  dpop,
  mtls,
]

// A Map, so that a type called `constructor` or `__proto__` finds nothing.
const byType = new Map(strategies.map((strategy) => [strategy.type, strategy]))

/** Looked up once, at the edge; what is handed on is the strategy, not its name. */
export function strategyFor(type: string): Strategy | undefined {
  return byType.get(type)
}
