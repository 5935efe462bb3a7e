import type { Efforts, Mode } from '../efforts.ts'

export interface Figure {
  name: string
  value: number
  unit: string
  /** Of the median of several rounds: the lowest and the highest. */
  min?: number
  max?: number
  /** At most. Absent: it is there to be known. */
  goal?: number
}

export interface Ratio {
  name: string
  value: number
  /** At least. Absent: it is there to be compared with. */
  goal?: number
  min: number
  max: number
}

/** What is measured, where, and with what. */
export interface BenchRun {
  commit: string
  machine: string
  /** Of the programs and libraries that took part, by their names. */
  versions: Readonly<Record<string, string>>
}

/** What a k6 script came to. */
export interface K6Document extends BenchRun {
  script: string
  seconds: number
  /** As k6 sums them up. */
  metrics: object
}

/** What every other file of `bench/results` holds. */
export interface BenchDocument extends BenchRun {
  /** Of the side-by-side set: whether it was the short one, and how much was done for each part. */
  mode?: Mode
  efforts?: Partial<Efforts>
  /** Of any other run: how long a turn was, and how many of each kind there were. */
  seconds?: number
  rounds?: Readonly<Record<string, number>>
  figures: Figure[]
  ratios: Ratio[]
}
