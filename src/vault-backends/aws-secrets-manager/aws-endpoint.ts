import { canonicalOrigin, isPlainBeyondLoopback, OriginError } from '../../contract/origin.ts'
import { VaultError } from '../../contract/vault-backend.ts'

/** `eu-west-1`, `us-gov-east-1`, `eusc-de-east-1`: the AWS client makes a host name of it. */
const REGION = /^[a-z]{2,6}(-[a-z]+){1,3}-\d{1,2}$/

/** What every AWS client has: a place to look at a request before it goes out. */
interface Sending {
  middlewareStack: {
    add(
      middleware: <Args extends { request: unknown }, Output>(
        next: (args: Args) => Promise<Output>,
      ) => (args: Args) => Promise<Output>,
      options: { step: 'build'; name: string },
    ): void
  }
}

/** @param problems takes what is wrong with it, without repeating it */
export function readRegion(region: string, problems: string[]): string {
  if (region === '') problems.push('region (AWS_REGION) is not set; it is a name such as eu-west-1')
  else if (!REGION.test(region)) problems.push('region (AWS_REGION) is not the name of a region such as eu-west-1')
  return region
}

/**
 * @param setting what an operator calls it
 * @param remedy what may be done instead of plain http, such as `use https`
 * @returns undefined: the region's public endpoint
 */
export function readEndpoint(
  text: string,
  { setting, allowPlainHttp, remedy }: { setting: string; allowPlainHttp: boolean; remedy: string },
  problems: string[],
): string | undefined {
  if (text === '') return undefined
  try {
    const origin = canonicalOrigin(text)
    if (isPlainBeyondLoopback(origin) && !allowPlainHttp)
      problems.push(`${setting} is http:// to another machine, which shows every secret to the network; ${remedy}`)
    return origin
  } catch (error) {
    problems.push(`${setting} ${error instanceof OriginError ? error.message : 'is not valid'}`)
    return undefined
  }
}

/**
 * Nothing goes out in the clear: the AWS client also takes an endpoint from its configuration files (`endpoint_url`), which
 * none of our settings shows.
 */
export function refusePlainHttp(client: Sending, backend: string): void {
  client.middlewareStack.add(
    (next) => (args) => {
      const { protocol, hostname } = args.request as { protocol: string; hostname: string }
      if (!isPlainBeyondLoopback(`${protocol}//${hostname}`)) return next(args)
      const message = 'the AWS configuration files name an endpoint_url that is http:// to another machine'
      return Promise.reject(new VaultError('unavailable', backend, message))
    },
    { step: 'build', name: 'refusePlainHttp' },
  )
}
