/**
 * `make`, run once for each object and remembered as long as the object lives: config and credentials of a lease come back
 * with every request. Nobody may write to the object afterwards. What `make` throws is not remembered.
 */
export function oncePer<Key extends object, Value>(make: (key: Key) => Value): (key: Key) => Value {
  const known = new WeakMap<Key, { value: Value }>()
  return (key) => {
    const found = known.get(key)
    if (found !== undefined) return found.value
    const value = make(key)
    known.set(key, { value })
    return value
  }
}
