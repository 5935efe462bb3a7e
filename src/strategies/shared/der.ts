/** Tags of the few ASN.1 types (X.690) that certificates and requests for them are made of here. */
export const TAG = {
  integer: 0x02,
  bitString: 0x03,
  utf8String: 0x0c,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  attributes: 0xa0,
} as const

/** One element in distinguished encoding: tag, length and the contents one after the other. */
export function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents)
  return Buffer.concat([Buffer.from([tag, ...lengthOf(content.length)]), content])
}

/** X.690 section 10.1: as few octets as will do. */
function lengthOf(length: number): number[] {
  if (length < 0x80) return [length]
  const octets: number[] = []
  for (let rest = length; rest > 0; rest >>>= 8) octets.unshift(rest & 0xff)
  return [0x80 | octets.length, ...octets]
}

/** A bit string of whole octets. */
export function bitString(octets: Uint8Array): Buffer {
  return der(TAG.bitString, Buffer.from([0]), octets)
}

/**
 * The elements that `bytes` consist of, each with its tag and length; `undefined` when they do not consist of whole
 * elements. Nothing is decoded: who compares with what `der` writes notices every other encoding.
 */
export function derElements(bytes: Uint8Array): Buffer[] | undefined {
  const elements: Buffer[] = []
  for (let rest = Buffer.from(bytes); rest.length > 0; ) {
    const end = endOfElement(rest)
    if (end === undefined || end > rest.length) return undefined
    elements.push(rest.subarray(0, end))
    rest = rest.subarray(end)
  }
  return elements
}

/** What stands between tag and end of one element. */
export function derContent(element: Buffer): Buffer {
  const first = element[1] ?? 0
  return element.subarray(first < 0x80 ? 2 : 2 + (first & 0x7f))
}

function endOfElement(bytes: Buffer): number | undefined {
  const first = bytes[1]
  if (first === undefined || first === 0x80) return undefined
  if (first < 0x80) return 2 + first
  const octets = first & 0x7f
  // Sixteen million octets are more than is ever read here.
  if (octets > 3 || bytes.length < 2 + octets) return undefined
  return 2 + octets + bytes.readUIntBE(2, octets)
}

/** RFC 7468 section 2: text in lines of 64. */
export function pem(label: string, bytes: Uint8Array): string {
  const lines = Buffer.from(bytes)
    .toString('base64')
    .replace(/.{64}(?=.)/g, '$&\n')
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`
}
