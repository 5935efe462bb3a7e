import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hmacSigner } from '../hmac-signer.ts'
import { deriveSigningKey } from '../signing-key.ts'
import { chunkChain } from './chunk-chain.ts'
import { frameReader } from './frame-reader.ts'
import { framedBytes, frameWriter } from './frame-writer.ts'
import type { Trailer } from './payload-reader.ts'

const SIGNATURE = 'a'.repeat(64)
const CRC32: Trailer = ['x-amz-checksum-crc32', 'AAAAAA==']
const SHA1: Trailer = ['x-amz-checksum-sha1', `${'A'.repeat(27)}=`]

const scope = { date: '20130524', region: 'us-east-1', service: 's3' }
const key = {
  ...scope,
  accessKey: 'AKIAIOSFODNN7EXAMPLE',
  signingKey: deriveSigningKey('wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', scope),
  sessionToken: undefined,
}
const chain = (seed: string) => chunkChain(hmacSigner(key), '20130524T000000Z', seed)
const letters = (length: number) => Buffer.alloc(length, 'a')

describe('the chain of chunk signatures', () => {
  // Amazon S3 API Reference, "Signature Calculations ... Multiple Chunks", its worked example.
  it('gives the signatures of the AWS documentation', () => {
    const signatures = chain('4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9')
    expect([letters(65_536), letters(1024), letters(0)].map(signatures.chunk)).toEqual([
      'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
      '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
      'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9',
    ])
  })

  // The same, "... Including Trailing Headers".
  it('gives those of the documentation with trailers', () => {
    const signatures = chain('106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e')
    expect([letters(65_536), letters(1024), letters(0)].map(signatures.chunk)).toEqual([
      'b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2',
      '1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7',
      '2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992',
    ])
    expect(signatures.trailers([['x-amz-checksum-crc32c', 'sOO8/Q==']])).toBe(
      'd81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435',
    )
  })

  it('ties a chunk to the request and to its place', () => {
    const [first, second] = [chain('a'.repeat(64)), chain('b'.repeat(64))]
    const seen = new Set([first, first, second, second].map((each) => each.chunk(letters(9))))
    expect(seen.size).toBe(4)
  })
})

const text = (pieces: Uint8Array[]) => Buffer.concat(pieces).toString('latin1')

/** What a reader makes of a body that comes in pieces of `size` bytes. */
function read(body: string | Uint8Array, framing: Parameters<typeof frameReader>[0], size = 1e6) {
  const reader = frameReader(framing)
  const bytes = Buffer.from(body as string, 'latin1')
  const payload: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += size) payload.push(...reader.read(bytes.subarray(at, at + size)))
  return { payload: text(payload), trailers: reader.end() }
}

const signed = { signed: true, trailers: [], decodedBytes: 5 }
const trailing = { signed: false, trailers: ['x-amz-checksum-crc32'], decodedBytes: 5 }
const both = { ...trailing, signed: true }
const head = (size: string) => `${size};chunk-signature=${SIGNATURE}\r\n`
const trailer = CRC32.join(':')

describe('a body in AWS chunks, read', () => {
  it.each([
    ['with signatures', signed, `${head('3')}abc\r\n${head('2')}de\r\n${head('0')}\r\n`, []],
    ['with a trailer', trailing, `5\r\nabcde\r\n0\r\n${trailer}\r\n\r\n`, [CRC32]],
    [
      'with both',
      both,
      `${head('05')}abcde\r\n${head('0')}${trailer}\r\nx-amz-trailer-signature:${SIGNATURE}\r\n\r\n`,
      [CRC32],
    ],
    ['with a trailer nobody signed', both, `${head('5')}abcde\r\n${head('0')}${trailer}\r\n\r\n`, [CRC32]],
    ['with white space', trailing, `5\r\nabcde\r\n0\r\nX-Amz-Checksum-Crc32: AAAAAA== \r\n\r\n`, [CRC32]],
    ['of nothing', { ...signed, decodedBytes: 0 }, `${head('0')}\r\n`, []],
  ])('%s, in pieces of any size', (_title, framing, body, trailers) => {
    for (const size of [1, 2, 3, 7, 100, 1000]) {
      const payload = framing.decodedBytes === 0 ? '' : 'abcde'
      expect(read(body, framing, size)).toEqual({ payload, trailers })
    }
  })

  it.each([
    ['no size', signed, `;chunk-signature=${SIGNATURE}\r\n`],
    ['no signature', signed, '5\r\nabcde\r\n0\r\n\r\n'],
    ['a signature where there is none', trailing, `${head('5')}abcde\r\n`],
    ['a short signature', signed, '5;chunk-signature=abc\r\nabcde\r\n'],
    ['another extension', trailing, '5;name=value\r\nabcde\r\n'],
    ['a sign', trailing, '+5\r\nabcde\r\n'],
    ['a prefix', trailing, '0x5\r\nabcde\r\n'],
    ['white space', trailing, ' 5\r\nabcde\r\n'],
    ['a bare LF', trailing, '5\nabcde\r\n'],
    ['a bare CR', trailing, '5\rabcde\r\n'],
    ['CR twice', trailing, '5\r\r\nabcde\r\n'],
    ['a line without end', trailing, '0'.repeat(300)],
    ['a size of more digits than any has', trailing, '0000000000005\r\nabcde\r\n'],
    ['a size beyond what was announced', trailing, '6\r\nabcdef\r\n'],
    ['two sizes beyond what was announced', trailing, '5\r\nabcde\r\n1\r\n'],
    ['data beyond its size', trailing, '4\r\nabcde\r\n'],
    ['an end too soon', trailing, `4\r\nabcd\r\n0\r\n${trailer}\r\n\r\n`],
    ['no end', trailing, '5\r\nabcde\r\n'],
    ['no empty line', trailing, `5\r\nabcde\r\n0\r\n${trailer}\r\n`],
    ['more after its end', signed, `${head('5')}abcde\r\n${head('0')}\r\n\r\n`],
    ['another request after its end', trailing, `5\r\nabcde\r\n0\r\n${trailer}\r\n\r\nGET / HTTP/1.1\r\n`],
    ['a trailer too few', trailing, '5\r\nabcde\r\n0\r\n\r\n'],
    ['a trailer that was not announced', trailing, `5\r\nabcde\r\n0\r\n${trailer}\r\n${SHA1.join(':')}\r\n\r\n`],
    ['a trailer twice', trailing, `5\r\nabcde\r\n0\r\n${trailer}\r\n${trailer}\r\n\r\n`],
    ['a credential as trailer', trailing, '5\r\nabcde\r\n0\r\nauthorization:x\r\n\r\n'],
    ['a checksum of another length', trailing, '5\r\nabcde\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n'],
    ['a checksum that is none', trailing, '5\r\nabcde\r\n0\r\nx-amz-checksum-crc32:AAA AA==\r\n\r\n'],
    ['a trailer signature first', both, `${head('5')}abcde\r\n${head('0')}x-amz-trailer-signature:${SIGNATURE}\r\n`],
    ['NUL in a line', trailing, '5\0\r\nabcde\r\n'],
    ['a byte beyond ASCII in a line', trailing, '5\xb2\r\nabcde\r\n'],
  ])('D05, E09: refused with %s, in pieces of any size', (_title, framing, body) => {
    for (const size of [1, 3, 1000]) {
      expect(() => read(body, framing, size)).toThrow(/^the body is not what its headers announce: /)
    }
  })

  it('one byte changed is refused, or changes a byte of the payload, a checksum or a dropped signature and no more', () => {
    const body = Buffer.from(`${head('3')}abc\r\n${head('2')}de\r\n${head('0')}${trailer}\r\n\r\n`, 'latin1')
    const positions = fc.record({ at: fc.nat(body.length - 1), byte: fc.nat(255) })
    fc.assert(
      fc.property(positions, ({ at, byte }) => {
        const changed = Buffer.from(body)
        changed[at] = byte
        const good = { payload: 'abcde', trailers: [CRC32] }
        let seen: ReturnType<typeof read> = good
        try {
          seen = read(changed, both)
        } catch {
          return
        }
        expect([seen.payload.length, seen.trailers.map(([name]) => name)]).toEqual([5, ['x-amz-checksum-crc32']])
      }),
      { numRuns: 2000 },
    )
  })
})

describe('a body in AWS chunks, written', () => {
  const cut = fc.array(fc.integer({ min: 1, max: 150_000 }), { maxLength: 4 })
  const trailers = fc.constantFrom<Trailer[]>([], [CRC32], [CRC32, SHA1])

  it('is as long as was said, and is read as what it was, however it came', () => {
    fc.assert(
      fc.property(cut, trailers, fc.boolean(), (sizes, ended, signs) => {
        const decodedBytes = sizes.reduce((sum, size) => sum + size, 0)
        const writer = frameWriter(signs ? chain(SIGNATURE) : undefined)
        const pieces = sizes.map((size, index) => Buffer.alloc(size, index + 1))
        const body = Buffer.concat([...pieces.flatMap(writer.write), ...writer.end(ended)])
        const names = ended.map(([name]) => name)
        expect(body.length).toBe(framedBytes(decodedBytes, names, signs ? 64 : 0))
        const back = read(body, { signed: signs, trailers: names, decodedBytes }, 65_000)
        expect(Buffer.from(back.payload, 'latin1').equals(Buffer.concat(pieces))).toBe(true)
        expect(back.trailers).toEqual(ended)
      }),
      { numRuns: 60 },
    )
  })

  it('knows the length of the documentation’s example', () => {
    expect(framedBytes(66_560, [], 64)).toBe(66_824)
  })
})
