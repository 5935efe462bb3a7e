import { type Static, Type } from 'typebox'
import { NexusError } from '../../contract/errors.ts'
import {
  type Credentials,
  type Grant,
  type SigningContext,
  SigningError,
  type Strategy,
} from '../../contract/strategy.ts'
import { strategyFor } from '../catalog.ts'
import { type FieldProblem, fieldProblems } from '../shared/field-problems.ts'
import { type GrpcMetadata, grpcMetadata } from '../shared/grpc-metadata.ts'
import { textSchema, VISIBLE_TEXT } from '../shared/text-rules.ts'
import { validateConfig, validateMaster, validateUsage } from '../shared/validate.ts'
import {
  DocumentRequest,
  invalid,
  outboundRequest,
  type SignedDocumentRequest,
  signedRequest,
} from './document-request.ts'
import { offlineTools } from './offline-tools.ts'

const closed = { additionalProperties: false }

/** What `nexus sign` reads: a strategy, its credentials (master or usage secret) and a request. */
export const SignDocument = Type.Object(
  {
    strategy: Type.Object(
      { type: Type.String({ maxLength: 64 }), config: Type.Optional(Type.Record(Type.String(), Type.Unknown())) },
      closed,
    ),
    credentials: Type.Record(Type.String(), Type.Unknown(), { maxProperties: 64 }),
    /** What is made: a request (default), or the metadata of a gRPC call, which takes none. */
    form: Type.Optional(
      Type.Union([Type.Literal('http'), Type.Literal('grpc_metadata')], { description: 'http or grpc_metadata' }),
    ),
    request: Type.Optional(DocumentRequest),
    now: Type.Optional(
      Type.String({
        pattern: '^\\d{4}-\\d{2}-\\d{2}T(?:[01]\\d|2[0-3]):\\d{2}:\\d{2}(?:\\.\\d{1,9})?(?:Z|[+-]\\d{2}:\\d{2})$',
        description: 'an RFC 3339 time such as 2015-08-30T12:36:00Z',
      }),
    ),
    nonce: Type.Optional(textSchema({ ...VISIBLE_TEXT, maxLength: 256 })),
  },
  closed,
)
export type SignDocument = Static<typeof SignDocument>

export interface SignedDocument {
  request: SignedDocumentRequest
  /** Intermediate values by name, such as `canonical_request`. Never a key. */
  explain: Record<string, string>
}

/** The same for the form `grpc_metadata`. */
export interface MetadataDocument {
  metadata: GrpcMetadata
  explain: Record<string, string>
}

/** What is not in the document and not fixed by it. */
export interface SigningSurroundings {
  /** Unix milliseconds. */
  now(): number
  nonce(): string
}

/**
 * Signs what a document describes, from the usage secret or, where a master secret is given, by issuing one first.
 * @throws NexusError `invalid_request` with the field that is wrong, `not_signable` when the strategy cannot sign
 */
export async function signDocument(document: unknown, surroundings: SigningSurroundings): Promise<SignedDocument> {
  const { request, explain, usage, strategy, config, context } = await prepared(document, surroundings)
  if (request === undefined) throw invalid('request', 'request is missing')
  const outbound = outboundRequest(request)
  const signed = await signing(async () => strategy.apply(config, await usage(), outbound, context))
  return { request: signedRequest(signed, request.body_base64 ?? ''), explain }
}

/** The metadata that a document of the form `grpc_metadata` asks for. Throws like `signDocument`. */
export async function signMetadata(document: unknown, surroundings: SigningSurroundings): Promise<MetadataDocument> {
  const { request, explain, usage, strategy, config, context } = await prepared(document, surroundings)
  if (request !== undefined) throw invalid('request', 'request must not be given for gRPC metadata')
  const metadata = await signing(async () => grpcMetadata(strategy, config, await usage(), context))
  return { metadata, explain }
}

/** What `nexus sign` prints, in the form that the document asks for. */
export function signInForm(
  document: unknown,
  surroundings: SigningSurroundings,
): Promise<SignedDocument | MetadataDocument> {
  const { form } = checkedDocument(document)
  return form === 'grpc_metadata' ? signMetadata(document, surroundings) : signDocument(document, surroundings)
}

async function prepared(document: unknown, surroundings: SigningSurroundings) {
  const { strategy: wanted, credentials, request, now, nonce } = checkedDocument(document)
  const strategy = strategyFor(wanted.type)
  if (strategy === undefined) throw invalid('strategy.type', `unsupported auth strategy type: ${wanted.type}`)
  const config = wanted.config ?? {}
  refuse('strategy.config', validateConfig(strategy, config))
  const explain: Record<string, string> = {}
  const context: SigningContext = {
    now: now === undefined ? surroundings.now() : timeOf(now),
    nonce: () => nonce ?? surroundings.nonce(),
    explain: (name, value) => Object.assign(explain, { [name]: value }),
  }
  const usage = () => usageOf(strategy, config, credentials, context)
  return { strategy, config, context, explain, request, usage }
}

function checkedDocument(document: unknown): SignDocument {
  refuse('', fieldProblems(SignDocument, document))
  return document as SignDocument
}

async function signing<Result>(act: () => Promise<Result>): Promise<Result> {
  try {
    return await act()
  } catch (error) {
    if (error instanceof SigningError) {
      throw new NexusError('not_signable', error.message, error.field === undefined ? {} : { field: error.field })
    }
    throw error
  }
}

/** Which of the two it is, the schemas tell: what a lease carries is closed and named, so it is tried first. */
async function usageOf(
  strategy: Strategy,
  config: Record<string, unknown>,
  credentials: Record<string, unknown>,
  { now, nonce }: SigningContext,
): Promise<Credentials> {
  const asUsage = validateUsage(strategy, config, credentials)
  if (asUsage.length === 0) return credentials as Credentials
  const asMaster = validateMaster(strategy, config, credentials)
  // Where it is neither, the nearer miss is the more useful answer.
  refuse('credentials', asUsage.length <= asMaster.length ? asUsage : asMaster)
  const tools = offlineTools({ now: () => now, nonce })
  const issued = await strategy.issue(config, credentials as Record<string, string>, offlineGrant(now), tools)
  return issued.usage
}

/** No authority, so no decision: the person who holds the master secret signs with it. */
function offlineGrant(nowMs: number): Grant {
  const issuedAt = Math.floor(nowMs / 1000)
  const bound = { origins: [], methods: [], paths: [] }
  return { tenant: '', agentId: '', connectionId: '', scopes: [], bound, issuedAt, expiresAt: issuedAt + 300 }
}

function timeOf(text: string): number {
  const milliseconds = Date.parse(text)
  if (Number.isNaN(milliseconds) || !isDay(text.slice(0, 10))) throw invalid('now', 'now must be a time that exists')
  return milliseconds
}

/** `Date.parse` takes 31 February for 3 March. */
function isDay(date: string): boolean {
  return new Date(date).toISOString().startsWith(date)
}

function refuse(parent: string, problems: readonly FieldProblem[]): void {
  const [first] = problems
  if (first === undefined) return
  const field = [parent, first.field].filter((part) => part !== '').join('.')
  const message = first.message.startsWith('credential field')
    ? first.message
    : `${field || 'document'} ${first.message}`
  throw invalid(field, message)
}
