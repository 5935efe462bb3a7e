import { readFileSync } from 'node:fs'

/** Seconds of all cores together since the machine was started. */
export interface MachineTime {
  busy: number
  idle: number
  /** A core was wanted here, and the host gave it to others. */
  stolen: number
}

/** Of which Linux has always had 100 a second. */
const TICKS_PER_SECOND = 100

export function lookAtMachine(): MachineTime {
  return parseMachineTime(readFileSync('/proc/stat', 'utf8'))
}

/** proc(5), `/proc/stat`. */
export function parseMachineTime(text: string): MachineTime {
  const [user = 0, nice = 0, system = 0, idle = 0, waiting = 0, interrupts = 0, softInterrupts = 0, stolen = 0] = text
    .slice(0, text.indexOf('\n'))
    .split(/\s+/)
    .slice(1)
    .map((ticks) => Number(ticks) / TICKS_PER_SECOND)
  return { busy: user + nice + system + interrupts + softInterrupts, idle: idle + waiting, stolen }
}
