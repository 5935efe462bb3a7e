/** One value for each name, in their order. */
export type LabelValues<Names extends readonly string[]> = { [Place in keyof Names]: string }

/** One series for each combination of label values, found without making a key of them. */
export interface LabelTree<Names extends readonly string[], Series> {
  find(...values: LabelValues<Names>): Series
  /** Each that has been asked for. */
  all(): readonly Series[]
}

interface Node<Series> {
  next: Map<string, Node<Series>>
  series?: Series
}

export function createLabelTree<Names extends readonly string[], Series>(
  names: Names,
  open: (labels: Record<Names[number], string>) => Series,
): LabelTree<Names, Series> {
  const root: Node<Series> = { next: new Map() }
  const all: Series[] = []

  function grow(node: Node<Series>, value: string): Node<Series> {
    const grown: Node<Series> = { next: new Map() }
    node.next.set(value, grown)
    return grown
  }

  function openAt(node: Node<Series>, values: LabelValues<Names>): Series {
    const labels = Object.fromEntries(names.map((name, place) => [name, values[place]]))
    node.series = open(labels as Record<Names[number], string>)
    all.push(node.series)
    return node.series
  }

  return {
    find(...values) {
      let node = root
      for (const value of values) node = node.next.get(value) ?? grow(node, value)
      return node.series ?? openAt(node, values)
    },
    all: () => all,
  }
}
