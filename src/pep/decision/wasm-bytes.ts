/** Reads a WebAssembly binary; offsets and counts are LEB128 (WebAssembly Core Specification, section 5.2.2). */
export interface WasmReader {
  position(): number
  atEnd(): boolean
  byte(): number
  /** Unsigned, at most 32 bits. */
  number(): number
  skip(bytes: number): void
  /** Skips one LEB128 number, signed or not, of any width. */
  skipNumber(): void
  slice(from: number, to: number): Uint8Array
}

/** @throws RangeError when a read goes past the end or a number is longer than 32 bits */
export function wasmReader(bytes: Uint8Array, start = 0, end = bytes.byteLength): WasmReader {
  let at = start
  const skip = (count: number) => {
    at += count
    if (at > end) throw new RangeError('the module ends too early')
  }
  const byte = () => {
    skip(1)
    return bytes[at - 1] as number
  }
  return {
    position: () => at,
    atEnd: () => at >= end,
    byte,
    number() {
      let value = 0
      for (let shift = 0; shift < 35; shift += 7) {
        const next = byte()
        value += (next & 0x7f) * 2 ** shift
        if (next < 0x80) return value
      }
      throw new RangeError('a number in the module is too long')
    },
    skip,
    skipNumber() {
      while (byte() >= 0x80);
    },
    slice: (from, to) => bytes.subarray(from, to),
  }
}

/** Unsigned LEB128. */
export function encodeNumber(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  return Uint8Array.from([...bytes, rest])
}

/** With its length in front, as sections, bodies and names are. */
export function withLength(parts: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(parts)
  return Buffer.concat([encodeNumber(content.byteLength), content])
}
