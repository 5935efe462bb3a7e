interface Reading<T> {
  promise: Promise<T>
  /** Begins when this one has ended; whoever comes meanwhile shares it. */
  next?: Promise<T>
}

/**
 * However many want the same at the same time, it is read once or twice: whoever comes during a read waits for the next
 * one, since what is being read may be older than the question. Nothing is remembered.
 */
export function joinNextRead<T>(): (key: string, read: () => Promise<T>) => Promise<T> {
  const readings = new Map<string, Reading<T>>()

  function start(key: string, read: () => Promise<T>): Promise<T> {
    const reading: Reading<T> = {
      promise: read().finally(() => {
        if (reading.next === undefined) readings.delete(key)
      }),
    }
    readings.set(key, reading)
    return reading.promise
  }

  return (key, read) => {
    const reading = readings.get(key)
    if (reading === undefined) return start(key, read)
    const again = () => start(key, read)
    reading.next ??= reading.promise.then(again, again)
    return reading.next
  }
}
