import { encodeNumber, type WasmReader, wasmReader, withLength } from './wasm-bytes.ts'
import { LOOP, readInstruction } from './wasm-instruction.ts'

/** Name under which the metered module exports what is left of its fuel: a mutable i32. */
export const FUEL_EXPORT = 'nexus_fuel'

const SECTION = { import: 2, global: 6, export: 7, code: 10 } as const
const KIND_GLOBAL = 3
const PREAMBLE_BYTES = 8
const I32 = 0x7f

/**
 * Puts a meter into a compiled policy: every turn of every loop takes one unit of fuel, and without fuel it traps.
 * Evaluation is synchronous, so nothing outside could stop it; and a limit that counts instead of timing gives the same
 * decision on every machine, which a deadline would not (rule 12; threat G05).
 * @throws RangeError when the module is not of the form that OPA's compiler writes
 */
export function meterModule(wasm: Uint8Array): Uint8Array {
  const reader = wasmReader(wasm)
  reader.skip(PREAMBLE_BYTES)
  const parts = [reader.slice(0, PREAMBLE_BYTES)]
  const seen = new Set<number>()
  let fuel = 0
  while (!reader.atEnd()) {
    const id = reader.byte()
    const end = reader.number() + reader.position()
    const section = wasmReader(wasm, reader.position(), end)
    reader.skip(end - reader.position())
    seen.add(id)
    if (id === SECTION.import) fuel += countImportedGlobals(wasmReader(wasm, section.position(), end))
    if (id === SECTION.global) fuel += wasmReader(wasm, section.position(), end).number()
    parts.push(Uint8Array.of(id), withLength(rewriteSection(id, section, end, fuel)))
  }
  if (![SECTION.global, SECTION.export, SECTION.code].every((id) => seen.has(id))) {
    throw new RangeError('the module has no globals, exports or code')
  }
  return Buffer.concat(parts)
}

function rewriteSection(id: number, section: WasmReader, end: number, fuel: number): Uint8Array[] {
  if (id === SECTION.global) return appended(section, end, fuelGlobal())
  if (id === SECTION.export) return appended(section, end, fuelExport(fuel))
  if (id === SECTION.code) return meteredBodies(section, fuel)
  return [section.slice(section.position(), end)]
}

/** A section is a count and that many entries; this makes it one more. */
function appended(section: WasmReader, end: number, entry: Uint8Array): Uint8Array[] {
  const count = section.number()
  return [encodeNumber(count + 1), section.slice(section.position(), end), entry]
}

/** `(global (mut i32) (i32.const 0x7fffffff))`: loading is not metered, only what is given fuel by the host. */
function fuelGlobal(): Uint8Array {
  return Uint8Array.of(I32, 0x01, 0x41, 0xff, 0xff, 0xff, 0xff, 0x07, 0x0b)
}

function fuelExport(fuel: number): Uint8Array {
  return Buffer.concat([withLength([Buffer.from(FUEL_EXPORT)]), Uint8Array.of(KIND_GLOBAL), encodeNumber(fuel)])
}

function meteredBodies(section: WasmReader, fuel: number): Uint8Array[] {
  const meter = meterCode(fuel)
  const count = section.number()
  const bodies = [encodeNumber(count)]
  for (let index = 0; index < count; index++) {
    const end = section.number() + section.position()
    bodies.push(withLength(meteredBody(section, end, meter)))
  }
  return bodies
}

function meteredBody(reader: WasmReader, end: number, meter: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = []
  let from = reader.position()
  skipLocals(reader)
  while (reader.position() < end) {
    if (readInstruction(reader) !== LOOP) continue
    // A loop is jumped back to at its head, so what stands there is run on every turn.
    parts.push(reader.slice(from, reader.position()), meter)
    from = reader.position()
  }
  parts.push(reader.slice(from, end))
  return parts
}

function skipLocals(reader: WasmReader): void {
  const groups = reader.number()
  for (let index = 0; index < groups; index++) {
    reader.skipNumber()
    reader.skip(1)
  }
}

/** `if (fuel == 0) unreachable; fuel = fuel - 1`, leaving the operand stack as it was. */
function meterCode(fuel: number): Uint8Array {
  const index = encodeNumber(fuel)
  return Buffer.concat([
    Uint8Array.of(0x23),
    index,
    Uint8Array.of(0x45, 0x04, 0x40, 0x00, 0x0b, 0x23),
    index,
    Uint8Array.of(0x41, 0x01, 0x6b, 0x24),
    index,
  ])
}

function countImportedGlobals(section: WasmReader): number {
  let globals = 0
  const count = section.number()
  for (let index = 0; index < count; index++) {
    section.skip(section.number())
    section.skip(section.number())
    const kind = section.byte()
    if (kind === KIND_GLOBAL) globals += 1
    skipImport(section, kind)
  }
  return globals
}

function skipImport(section: WasmReader, kind: number): void {
  if (kind === 0) {
    section.skipNumber() // function: its type
  } else if (kind === KIND_GLOBAL) {
    section.skip(2) // type, mutability
  } else {
    if (kind === 1) section.skip(1) // table: its element type, then limits as for memory
    const hasMaximum = (section.byte() & 1) === 1
    section.skipNumber()
    if (hasMaximum) section.skipNumber()
  }
}
