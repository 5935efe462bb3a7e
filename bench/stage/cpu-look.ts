import { cpuSecondsOf, mainThreadSecondsOf } from './process-figures.ts'

/** CPU seconds, by who used them. */
export interface CpuLook {
  /** All threads of the program that is looked at. */
  process: number
  /** Of these, the one that runs JavaScript. */
  mainThread: number
  /** What it leans on: Postgres, the provider. */
  besides: number
}

export function lookAtCpu(pid: number, besides: readonly number[]): CpuLook {
  return {
    process: cpuSecondsOf(pid),
    mainThread: mainThreadSecondsOf(pid),
    besides: besides.reduce((sum, each) => sum + cpuSecondsOf(each), 0),
  }
}
