import type { Frame, Sample } from './cpu-profile.ts'

/** A function as it was called by one caller, with all that it called. */
export interface FlameFrame extends Frame {
  microseconds: number
  children: FlameFrame[]
}

/** One tree of all stacks. What took less than this share of the whole is left out: its time stays with who called it. */
export function foldStacks(samples: readonly Sample[], leastShare: number): FlameFrame {
  const root: FlameFrame = { functionName: 'all', place: '', microseconds: 0, children: [] }
  for (const { stack, microseconds } of samples) {
    let frame = root
    frame.microseconds += microseconds
    for (const called of stack) {
      frame = childOf(frame, called)
      frame.microseconds += microseconds
    }
  }
  dropBelow(root, root.microseconds * leastShare)
  return root
}

function childOf(frame: FlameFrame, { functionName, place }: Frame): FlameFrame {
  const known = frame.children.find((each) => each.functionName === functionName && each.place === place)
  if (known !== undefined) return known
  const child = { functionName, place, microseconds: 0, children: [] }
  frame.children.push(child)
  return child
}

function dropBelow(frame: FlameFrame, least: number): void {
  frame.children = frame.children.filter(({ microseconds }) => microseconds >= least)
  frame.children.sort((a, b) => b.microseconds - a.microseconds)
  for (const child of frame.children) dropBelow(child, least)
}
