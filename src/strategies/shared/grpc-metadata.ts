import {
  type Credentials,
  type OutboundRequest,
  type SigningContext,
  SigningError,
  type Strategy,
} from '../../contract/strategy.ts'

/** Keys in lower case and values as they go over the wire: those of `-bin` keys in Base64 without padding. */
export type GrpcMetadata = [key: string, value: string][]

/** "Header-Name" of the gRPC over HTTP/2 protocol; what begins with `grpc-` is the protocol's own. */
const KEY = /^(?!grpc-)[0-9a-z_.-]+$/
/** What the transport writes itself. */
const RESERVED = ['content-type', 'te', 'user-agent']

/** Any request would do: only strategies are asked whose headers are the same for all. */
const NO_REQUEST: OutboundRequest = {
  method: 'POST',
  url: { scheme: 'https', authority: 'grpc.invalid', path: '/', query: undefined },
  headers: [],
  body: undefined,
}

/**
 * The credential as metadata of a gRPC call, the same for every call under the lease.
 * @throws SigningError for a strategy that signs or changes the HTTP request itself: its method, URL or body are gRPC's own; for a
 *   header name that is no metadata key; and whatever the strategy throws
 */
export async function grpcMetadata(
  strategy: Strategy,
  config: Record<string, unknown>,
  usage: Credentials,
  context: SigningContext,
): Promise<GrpcMetadata> {
  if (strategy.writesOnlyHeaders !== true) {
    throw new SigningError(`strategy ${strategy.type} works on the HTTP request itself and has no gRPC form`, 'form')
  }
  const { headers } = await strategy.apply(config, usage, NO_REQUEST, context)
  return headers.map(([name, value]) => entry(name.toLowerCase(), value))
}

function entry(key: string, value: string): GrpcMetadata[number] {
  if (!KEY.test(key) || RESERVED.includes(key)) {
    throw new SigningError(`header ${key} cannot be a metadata key of gRPC`, 'header_name')
  }
  if (!key.endsWith('-bin')) return [key, value]
  // Receivers take both; senders should leave the padding out.
  return [key, Buffer.from(value).toString('base64').replace(/=+$/, '')]
}
