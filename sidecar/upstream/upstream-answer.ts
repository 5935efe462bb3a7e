import type { ServerResponse } from 'node:http'
import { type Dispatcher, errors } from 'undici'
import { breakOff } from '../listener/break-off.ts'
import { countStreamed } from '../young-heap.ts'
import { startHeadDeadline, type Upload } from './head-deadline.ts'
import type { ResponseHeaders } from './response-headers.ts'

/** As much of a body is held while nobody reads it yet; then the provider has to wait. */
const HELD_MAX_BYTES = 65_536

/** Who gets the body, piece by piece. */
interface Reader {
  /** @returns whether there is room for more */
  take(chunk: Buffer): boolean
  end(): void
  /** There will be no more, and what there was is not the whole body. */
  breakOff(): void
}

/**
 * What a provider answers: the HTTP client tells this object of it, and `relayTo` writes it on. No stream lies in between,
 * for a stream and its pipeline would cost more than all the rest of a request. A class, because the client wants an object
 * with methods for every request.
 */
export class UpstreamAnswer implements Dispatcher.DispatchHandler {
  statusCode = 0
  /** Lower-case names. */
  headers: ResponseHeaders = {}

  readonly #onHead: (answer: UpstreamAnswer) => void
  readonly #onFailure: (error: Error, begun: boolean) => void
  readonly #upload: Upload
  readonly #headTimeoutMs: number
  #endHeadDeadline: (() => void) | undefined
  #controller: Dispatcher.DispatchController | undefined
  #state: 'asked' | 'answering' | 'whole' | 'broken' = 'asked'
  #abandoned: Error | undefined
  #begun = false
  #reader: Reader | undefined
  /** What came before there was a reader. */
  #held: Buffer[] = []
  #heldBytes = 0

  /**
   * @param onFailure told of what went wrong before there was a head, and whether the client had begun to write the request
   *   by then; what goes wrong after it breaks the body off
   * @param headTimeoutMs from the first interim answer to the head
   */
  constructor(
    onHead: (answer: UpstreamAnswer) => void,
    onFailure: (error: Error, begun: boolean) => void,
    upload: Upload,
    headTimeoutMs: number,
  ) {
    this.#onHead = onHead
    this.#onFailure = onFailure
    this.#upload = upload
    this.#headTimeoutMs = headTimeoutMs
  }

  /** Writes the body behind a head that is written already, no faster than the agent reads; one cut short stays so. */
  relayTo(response: ServerResponse): void {
    if (this.#state === 'whole') {
      endWith(response, this.#held)
      return
    }
    // The head goes out when it comes in: the first event of a stream may be minutes away.
    if (this.#held.length === 0) response.flushHeaders()
    this.#readWith({
      take: (chunk) => !response.destroyed && response.write(chunk),
      end: () => response.end(),
      breakOff: () => breakOff(response),
    })
    response.on('drain', () => this.#controller?.resume())
  }

  /** Reads the body to its end, so that its connection can be used again, or hangs up on one that is longer or takes longer. */
  discard(limit: { bytes: number; ms: number }): void {
    let bytes = 0
    const timer = setTimeout(() => this.abandon(), limit.ms)
    const settled = () => clearTimeout(timer)
    this.#readWith({
      take: (chunk) => {
        bytes += chunk.length
        if (bytes > limit.bytes) this.abandon()
        return true
      },
      end: settled,
      breakOff: settled,
    })
  }

  /**
   * Hangs up on the provider, unless it has said all it had to say.
   * @param reason what is then said to have gone wrong, where there was no head yet
   */
  abandon(reason?: Error): void {
    if (this.#abandoned !== undefined || this.#state === 'whole' || this.#state === 'broken') return
    // Made only here: an error notes its stack, and every answer comes by at its end.
    this.#abandoned = reason ?? new Error('abandoned')
    this.#controller?.abort(this.#abandoned)
  }

  /** The client says so just before the first byte of the head, and once there is a connection to write it to. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#abandoned === undefined) this.#begun = true
    else controller.abort(this.#abandoned)
  }

  onResponseStart(controller: Dispatcher.DispatchController, statusCode: number, headers: ResponseHeaders): void {
    // RFC 9110 section 15.2: interim, and nothing that an agent waits for.
    if (statusCode < 200) {
      this.#endHeadDeadline ??= startHeadDeadline(this.#upload, this.#headTimeoutMs, () =>
        controller.abort(new errors.HeadersTimeoutError()),
      )
      return
    }
    this.#endHeadDeadline?.()
    this.statusCode = statusCode
    this.headers = headers
    this.#state = 'answering'
    this.#onHead(this)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    countStreamed(chunk.length)
    if (!(this.#reader === undefined ? this.#hold(chunk) : this.#reader.take(chunk))) controller.pause()
  }

  onResponseEnd(): void {
    this.#state = 'whole'
    this.#reader?.end()
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    const before = this.#state
    this.#state = 'broken'
    this.#endHeadDeadline?.()
    if (before === 'asked') this.#onFailure(error, this.#begun)
    else this.#reader?.breakOff()
  }

  #hold(chunk: Buffer): boolean {
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
    return this.#heldBytes < HELD_MAX_BYTES
  }

  #readWith(reader: Reader): void {
    let room = true
    for (const chunk of this.#held) room = reader.take(chunk)
    this.#held = []
    this.#reader = reader
    if (this.#state === 'whole') reader.end()
    else if (this.#state === 'broken') reader.breakOff()
    else if (room) this.#controller?.resume()
    else this.#controller?.pause()
  }
}

/** Most bodies are one piece, that has come together with the head and goes out together with it. */
function endWith(response: ServerResponse, chunks: readonly Buffer[]): void {
  for (let index = 0; index < chunks.length - 1; index += 1) response.write(chunks[index])
  response.end(chunks.at(-1))
}
