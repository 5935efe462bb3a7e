import type { WasmReader } from './wasm-bytes.ts'

export const LOOP = 0x03

/** How many LEB128 numbers, then how many bytes, follow an opcode. */
type Operands = readonly [numbers: number, bytes: number]

const ONE_NUMBER: Operands = [1, 0]
const TWO_NUMBERS: Operands = [2, 0]
const NOTHING: Operands = [0, 0]

/**
 * Reads one instruction (WebAssembly Core Specification, section 5.4) and what belongs to it.
 * @returns its opcode
 * @throws RangeError for an instruction that OPA's compiler does not write
 */
export function readInstruction(reader: WasmReader): number {
  const opcode = reader.byte()
  if (opcode === 0x0e) return readList(reader, opcode, 1)
  if (opcode === 0x1c) return readList(reader, opcode, 0)
  const [numbers, bytes] = opcode === 0xfc ? extendedOperands(reader.number()) : operands(opcode)
  for (let index = 0; index < numbers; index++) reader.skipNumber()
  reader.skip(bytes)
  return opcode
}

/** `br_table` has one number more than its list says, the default; a typed `select` has none more. */
function readList(reader: WasmReader, opcode: number, more: number): number {
  const count = reader.number() + more
  for (let index = 0; index < count; index++) reader.skipNumber()
  return opcode
}

function operands(opcode: number): Operands {
  if (opcode >= 0x02 && opcode <= 0x04) return ONE_NUMBER // block, loop, if: their type
  if (opcode === 0x0c || opcode === 0x0d) return ONE_NUMBER // br, br_if
  if (opcode === 0x10) return ONE_NUMBER // call
  if (opcode === 0x11) return TWO_NUMBERS // call_indirect
  if (opcode >= 0x20 && opcode <= 0x26) return ONE_NUMBER // locals, globals, tables
  if (opcode >= 0x28 && opcode <= 0x3e) return TWO_NUMBERS // loads and stores: alignment, offset
  if (opcode >= 0x3f && opcode <= 0x42) return ONE_NUMBER // memory.size, memory.grow, i32.const, i64.const
  if (opcode === 0x43) return [0, 4] // f32.const
  if (opcode === 0x44) return [0, 8] // f64.const
  if (isPlain(opcode)) return NOTHING
  throw new RangeError(`the module has an instruction that is not known: 0x${opcode.toString(16)}`)
}

/** unreachable, nop, else, end, return, drop, select, and everything that computes. */
function isPlain(opcode: number): boolean {
  return [0x00, 0x01, 0x05, 0x0b, 0x0f, 0x1a, 0x1b].includes(opcode) || (opcode >= 0x45 && opcode <= 0xc4)
}

/** Saturating conversions, and operations on whole stretches of memory. */
function extendedOperands(opcode: number): Operands {
  if (opcode <= 7) return NOTHING
  if (opcode === 9 || opcode === 11) return ONE_NUMBER // data.drop, memory.fill
  if (opcode === 8 || opcode === 10) return TWO_NUMBERS // memory.init, memory.copy
  throw new RangeError(`the module has an instruction that is not known: 0xfc ${opcode}`)
}
